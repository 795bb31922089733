/*
 * client.c - one client: what RFC 1350, 2347 and 7440 ask of it, and what common ones do.
 *
 * It repeats its last packet after a while, answers a copy of the last block with its ACK
 * once more, acknowledges a gap once, and sends a window again once for each base.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "load.h"

#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum { RRQ = 1, WRQ, DATA, ACK, ERROR, OACK };
enum { MAX_DATAGRAM = 65507, MAX_SEGMENTS = 64, RECEIVE_BUFFER = 4 << 20 };

/* ------------------------------------------------------------------ waiting, losing, sending */

static void wait_no_more(Client *c)
{
    c->before->after = c->after;
    c->after->before = c->before;
    c->before = c->after = c;
}

/* Starts the timer of a client anew; all timers are equally long, so a queue keeps order. */
static void touch(Client *c)
{
    c->touched = now;
    wait_no_more(c);
    c->after = &waiting;
    c->before = waiting.before;
    waiting.before->after = c;
    waiting.before = c;
}

static bool lose(Client *c, double share)
{
    if (share <= 0)
        return false;
    c->random ^= c->random >> 12;
    c->random ^= c->random << 25;
    c->random ^= c->random >> 27;
    return (double)(c->random * 0x2545F4914F6CDD1Dull >> 11) * 0x1p-53 < share;
}

static void transmit(Client *c, const void *bytes, size_t count)
{
    if (lose(c, ask.loss_out)) {
        tally.dropped_out++;
        return;
    }
    tally.packets_out++;
    /* What cannot go now is a lost packet: the timer brings it back. */
    if (c->phase == ASKING)
        sendto(c->fd, bytes, count, 0, (struct sockaddr *)&ask.server, ask.server_length);
    else
        send(c->fd, bytes, count, 0);
}

static void send_ack(Client *c)
{
    uint8_t packet[HEADER] = {0, ACK, (uint8_t)(c->last >> 8), (uint8_t)c->last};
    c->ack_at = c->last + c->window;
    c->echo = c->repeating = false;
    transmit(c, packet, sizeof packet);
}

static size_t option(char *to, size_t space, const char *name, int64_t value)
{
    int count = snprintf(to, space, "%s%c%lld", name, 0, (long long)value);
    return (size_t)count + 1;
}

static void send_request(Client *c)
{
    char packet[CLASSIC_BLOCK] = {0, ask.put ? WRQ : RRQ};
    size_t at = 2, space = sizeof packet;
    at += (size_t)(ask.numbered ? snprintf(packet + at, space - at, "%s%d", ask.file, c->number)
                                : snprintf(packet + at, space - at, "%s", ask.file)) + 1;
    at += (size_t)snprintf(packet + at, space - at, "octet") + 1;
    if (ask.block) {
        at += option(packet + at, space - at, "blksize", ask.block);
        at += option(packet + at, space - at, "tsize", ask.put ? ask.size : 0);
        if (ask.window > 1)
            at += option(packet + at, space - at, "windowsize", ask.window);
    }
    transmit(c, packet, at);
}

/* ------------------------------------------------------------------ begin and end */

void open_socket(Client *c)
{
    struct sockaddr_storage own = {.ss_family = ask.server.ss_family};
    int yes = 1, bytes = RECEIVE_BUFFER;
    c->fd = socket(own.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd < 0)
        die("socket");
    if (ask.window > 1 && setsockopt(c->fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes))
        setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    if (ask.offload && !ask.put && setsockopt(c->fd, SOL_UDP, UDP_GRO, &yes, sizeof yes))
        die("UDP_GRO");
    if (bind(c->fd, (struct sockaddr *)&own, ask.server_length))
        die("bind");
    watch(c->fd, c);
}

void begin(Client *c)
{
    int fd = c->fd;
    *c = (Client){.fd = fd, .number = tally.started++, .phase = ASKING, .before = c->before,
                  .after = c->after, .began = now};
    c->random = (ask.seed * 1000003 + (uint64_t)c->number + 1) * 0x9E3779B97F4A7C15ull | 1;
    if (fd < 0)
        open_socket(c);
    tally.live++;
    send_request(c);
    touch(c);
}

static void leave(Client *c)
{
    if (c->phase == MOVING)
        tally.moving--;
    close(c->fd);
    c->fd = -1;
    c->phase = IDLE;
    tally.live--;
    wait_no_more(c);
    if (tally.started < ask.transfers) {
        now = clock_now();
        begin(c);
    }
}

static void finish(Client *c)
{
    tally.took[tally.finished++] = clock_now() - c->began;
    leave(c);
}

void fail(Client *c, const char *text)
{
    tally.failed++;
    for (int i = 0; i < CAUSES; i++) {
        if (tally.causes[i].count == 0)
            snprintf(tally.causes[i].text, sizeof tally.causes[i].text, "%s", text);
        if (strncmp(tally.causes[i].text, text, sizeof tally.causes[i].text - 1) == 0) {
            tally.causes[i].count++;
            break;
        }
    }
    leave(c);
}

/* ------------------------------------------------------------------ what we send: a put */

static struct {
    int block;
    int64_t blocks;
    uint8_t *bytes;
} images[2]; /* all DATA packets of the file in a row, for the block size asked for and for 512 */

static uint8_t *image(int block)
{
    int which = block != ask.block;
    int64_t blocks = ask.size / block + 1;
    if (images[which].block != block) {
        free(images[which].bytes);
        images[which].bytes = need(malloc((size_t)blocks * (size_t)(HEADER + block) + 8));
        images[which].block = block;
        for (int64_t n = 1; n <= blocks; n++) {
            uint8_t *packet = images[which].bytes + (n - 1) * (HEADER + block);
            int64_t offset = (n - 1) * block, left = ask.size - offset;
            packet[0] = 0, packet[1] = DATA;
            packet[2] = (uint8_t)(n >> 8), packet[3] = (uint8_t)n;
            fill(packet + HEADER, (size_t)(left < block ? left : block), offset);
        }
    }
    return images[which].bytes;
}

/* So that the first transfer does not wait for it. */
void prepare_image(void) { image(ask.block ? ask.block : CLASSIC_BLOCK); }

/* Sends `count` packets that lie in a row: at once if the kernel is to cut them, else in one
   call. */
static void send_row(Client *c, uint8_t *row, size_t bytes, int stride, int count)
{
    if (count == 1 || ask.loss_out > 0) {
        for (; count > 0; count--, row += stride, bytes -= (size_t)stride)
            transmit(c, row, count > 1 ? (size_t)stride : bytes);
        return;
    }
    tally.packets_out += count;
    if (ask.offload) {
        union {
            struct cmsghdr header;
            char space[CMSG_SPACE(sizeof(uint16_t))];
        } control = {0};
        struct iovec piece = {row, bytes};
        struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control,
                                 .msg_controllen = sizeof control};
        uint16_t segment = (uint16_t)stride;
        control.header = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof segment),
                                          .cmsg_level = SOL_UDP, .cmsg_type = UDP_SEGMENT};
        memcpy(CMSG_DATA(&control.header), &segment, sizeof segment);
        sendmsg(c->fd, &message, 0);
        return;
    }
    struct iovec pieces[MAX_SEGMENTS];
    struct mmsghdr messages[MAX_SEGMENTS] = {0};
    for (int i = 0; i < count; i++) {
        size_t length = i + 1 < count ? (size_t)stride : bytes - (size_t)i * (size_t)stride;
        pieces[i] = (struct iovec){row + (size_t)i * (size_t)stride, length};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &pieces[i], .msg_iovlen = 1};
    }
    sendmmsg(c->fd, messages, (unsigned)count, 0);
}

static void send_window(Client *c)
{
    int stride = HEADER + c->block, most = MAX_DATAGRAM / stride;
    int64_t blocks = ask.size / c->block + 1, first = c->last + 1, end = c->last + c->window;
    uint8_t *packets = image(c->block);
    if (most > MAX_SEGMENTS)
        most = MAX_SEGMENTS;
    if (end > blocks)
        end = blocks;
    if (c->top >= first)
        tally.again_data += (c->top < end ? c->top : end) - first + 1;
    if (c->top < end)
        c->top = end;
    tally.blocks += end - first + 1;
    while (first <= end) {
        int count = end - first + 1 < most ? (int)(end - first + 1) : most;
        size_t bytes = (size_t)count * (size_t)stride;
        if (first + count - 1 == blocks)
            bytes -= (size_t)(blocks * c->block - ask.size);
        send_row(c, packets + (first - 1) * stride, bytes, stride, count);
        first += count;
    }
}

static void on_ack(Client *c, int wire)
{
    int64_t ack = c->last + (int16_t)(uint16_t)(wire - (int)(c->last & 0xFFFF));
    int64_t blocks = ask.size / c->block + 1;
    if (ack < c->last || ack > c->top)
        return;
    if (ack == c->last) { /* a copy; with windows it can mean that the first block is lost */
        if (c->top == 0) {
            send_window(c);
            touch(c);
        } else if (c->window > 1 && !c->gap_told) {
            c->gap_told = true;
            tally.gaps++;
            send_window(c);
            touch(c);
        } else {
            tally.duplicates++;
        }
        return;
    }
    if (ack < c->top)
        tally.gaps++;
    tally.bytes += (ack == blocks ? ask.size : ack * c->block) - c->last * c->block;
    c->last = ack;
    c->tries = 0;
    c->gap_told = false;
    if (ack == blocks) {
        finish(c);
        return;
    }
    send_window(c);
    touch(c);
}

/* ------------------------------------------------------------------ what we get */

/* A block that came before. It tells where the server's window begins this time, and if it is
   our last one, that our ACK may be lost. */
static void on_old_data(Client *c, int64_t block)
{
    tally.duplicates++;
    if (!c->repeating && block > 0 && block - 1 + c->window > c->last) {
        c->repeating = true;
        c->ack_at = block - 1 + c->window;
    }
    c->echo = block == c->last;
}

static void on_gap(Client *c)
{
    c->echo = false;
    if (c->gap_told)
        return;
    c->gap_told = true;
    tally.gaps++;
    send_ack(c);
    touch(c);
}

static void on_data(Client *c, int wire, const uint8_t *bytes, int count)
{
    int64_t block = c->last + 1 + (int16_t)(uint16_t)(wire - (int)((c->last + 1) & 0xFFFF));
    int64_t offset = c->last * c->block;
    if (block <= c->last) {
        on_old_data(c, block);
        return;
    }
    if (block > c->last + 1) {
        on_gap(c);
        return;
    }
    if (count > c->block || !is_right(bytes, (size_t)count, offset, ask.full_check)) {
        tally.wrong++;
        fail(c, "wrong bytes");
        return;
    }
    c->last = block;
    c->tries = 0;
    c->gap_told = c->echo = false;
    tally.blocks++;
    tally.bytes += count;
    if (count < c->block) {
        send_ack(c);
        if (offset + count != ask.size) {
            tally.wrong++;
            fail(c, "wrong size");
        } else {
            finish(c);
        }
        return;
    }
    if (block >= c->ack_at)
        send_ack(c);
    touch(c);
}

/* ------------------------------------------------------------------ any packet */

static int option_value(const uint8_t *packet, size_t count, const char *name, int otherwise)
{
    const char *at = (const char *)packet + 2, *end = (const char *)packet + count;
    while (at < end) {
        const char *value = at + strnlen(at, (size_t)(end - at)) + 1;
        if (value >= end)
            break;
        if (strcasecmp(at, name) == 0)
            return atoi(value);
        at = value + strnlen(value, (size_t)(end - value)) + 1;
    }
    return otherwise;
}

/* The first answer: from now on the socket hears only whom it came from. */
static bool answered(Client *c, const uint8_t *packet, size_t count, const struct sockaddr *from)
{
    int kind = packet[1], wire = packet[2] << 8 | packet[3];
    bool plain = ask.put ? kind == ACK && wire == 0 : kind == DATA && wire == 1;
    if (!plain && kind != OACK)
        return false; /* left over from an earlier transfer on this port */
    c->block = kind == OACK ? option_value(packet, count, "blksize", CLASSIC_BLOCK) : CLASSIC_BLOCK;
    c->window = kind == OACK ? option_value(packet, count, "windowsize", 1) : 1;
    if (c->block < 8 || (c->block > ask.block && c->block != CLASSIC_BLOCK) || c->window < 1 ||
        c->window > ask.window || connect(c->fd, from, ask.server_length)) {
        fail(c, "OACK that cannot be accepted");
        return false;
    }
    c->phase = MOVING;
    c->ack_at = c->window;
    tally.granted_block = c->block;
    tally.granted_window = c->window;
    if (++tally.moving > tally.most_moving)
        tally.most_moving = tally.moving;
    return true;
}

void on_packet(Client *c, const uint8_t *packet, size_t count, const struct sockaddr *from)
{
    tally.packets_in++;
    if (lose(c, ask.loss_in)) {
        tally.dropped_in++;
        return;
    }
    if (count < HEADER || packet[0] != 0)
        return;
    int kind = packet[1], wire = packet[2] << 8 | packet[3];
    if (kind == ERROR) {
        char text[120];
        snprintf(text, sizeof text, "ERROR %d %.*s", wire, (int)(count - HEADER), packet + HEADER);
        fail(c, text);
        return;
    }
    if (c->phase == ASKING && !answered(c, packet, count, from))
        return;
    if (kind == OACK) {
        if (c->last > 0 || c->top > 0)
            return;
        if (ask.put)
            send_window(c);
        else
            send_ack(c);
        touch(c);
    } else if (kind == DATA && !ask.put) {
        on_data(c, wire, packet + HEADER, (int)count - HEADER);
    } else if (kind == ACK && ask.put) {
        on_ack(c, wire);
    }
}

void after_packets(Client *c)
{
    if (c->phase != MOVING || !c->echo)
        return;
    tally.again_acks++;
    send_ack(c);
    touch(c);
}

void on_timer(Client *c)
{
    if (++c->tries > ask.retries) {
        fail(c, "gave up");
        return;
    }
    if (c->phase == ASKING) {
        tally.again_requests++;
        send_request(c);
    } else if (ask.put) {
        c->gap_told = false;
        send_window(c);
    } else {
        tally.again_acks++;
        c->gap_told = false;
        send_ack(c);
    }
    touch(c);
}
