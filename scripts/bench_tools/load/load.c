/*
 * load - many TFTP clients in one process, to measure a server with.
 *
 * Every client has a UDP socket of its own and does what common clients do: it waits in the
 * kernel, acknowledges, and repeats its last packet after a second of silence. Lock-step
 * (RFC 1350) and windowed (RFC 7440: an ACK at the end of each window, a gap acknowledged
 * once); gets and puts. It can lose packets both ways, from a seed, and can take and give
 * whole windows at once (UDP_GRO, UDP_SEGMENT). Content is known by its offset, so that
 * every block is checked as it comes.
 *
 *   load --host A --port N --file NAME --size BYTES [options]   one JSON object on stdout
 *   load make FILE BYTES          writes a file with that content
 *   load verify FILE BYTES        exit code 0 if the file has that content
 *
 * Files: load.c (command line, loop, report), client.c (one client: what RFC 1350 and 7440 ask
 * of it), content.c (the known content), load.h (what they share).
 *
 * It must not be what limits a measurement: it tells its own CPU time, and whether that was
 * nearly all of the time there was.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#include "load.h"

#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum { EVENTS = 256, RAMP = 16, BATCH = 64, GRO_BATCH = 4, GRO_ROOM = 65536 };

Job ask = {.clients = 1, .transfers = 0, .window = 1, .retries = 30, .cpu = -1,
           .timer = 1.0, .limit = 60.0, .seed = 1};
Tally tally;
Client waiting;
double now;

static Client *clients;
static int epoll_fd;
static uint8_t *room; /* where packets arrive */
static size_t room_each;

double clock_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void die(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    exit(2);
}

void *need(void *memory)
{
    if (!memory)
        die("memory");
    return memory;
}

void watch(int fd, Client *c)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event))
        die("epoll_ctl");
}

/* ------------------------------------------------------------------ arrivals */

static void arrive_one(Client *c)
{
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    bool asking = c->phase == ASKING;
    ssize_t count = recvfrom(c->fd, room, room_each, 0, asking ? (struct sockaddr *)&from : NULL,
                             asking ? &length : NULL);
    if (count >= 0) {
        on_packet(c, room, (size_t)count, (struct sockaddr *)&from);
        after_packets(c);
    } else if (errno != EAGAIN && errno != EINTR) {
        fail(c, strerror(errno));
    }
}

static size_t segment_of(struct msghdr *message, size_t otherwise)
{
    for (struct cmsghdr *at = CMSG_FIRSTHDR(message); at; at = CMSG_NXTHDR(message, at))
        if (at->cmsg_level == SOL_UDP && at->cmsg_type == UDP_GRO) {
            int size;
            memcpy(&size, CMSG_DATA(at), sizeof size);
            return (size_t)size;
        }
    return otherwise;
}

static void arrive_many(Client *c)
{
    static struct mmsghdr messages[BATCH];
    static struct iovec pieces[BATCH];
    static char control[BATCH][CMSG_SPACE(sizeof(int))];
    int transfer = c->number, batch = ask.offload ? GRO_BATCH : BATCH;
    for (int i = 0; i < batch; i++) {
        pieces[i] = (struct iovec){room + (size_t)i * room_each, room_each};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &pieces[i], .msg_iovlen = 1};
        if (ask.offload) {
            messages[i].msg_hdr.msg_control = control[i];
            messages[i].msg_hdr.msg_controllen = sizeof control[i];
        }
    }
    int count = recvmmsg(c->fd, messages, (unsigned)batch, 0, NULL);
    if (count < 0) {
        if (errno != EAGAIN && errno != EINTR)
            fail(c, strerror(errno));
        return;
    }
    for (int i = 0; i < count; i++) {
        size_t length = messages[i].msg_len, each = segment_of(&messages[i].msg_hdr, length);
        uint8_t *bytes = pieces[i].iov_base;
        for (size_t at = 0; at < length; at += each) {
            on_packet(c, bytes + at, length - at < each ? length - at : each, NULL);
            if (c->number != transfer || c->phase != MOVING)
                return; /* ended, and perhaps begun anew */
        }
    }
    after_packets(c);
}

static void arrive(Client *c)
{
    if (c->phase == MOVING && c->window > 1)
        arrive_many(c);
    else if (c->phase != IDLE)
        arrive_one(c);
}

/* ------------------------------------------------------------------ time */

static void expire(void)
{
    while (waiting.after != &waiting && waiting.after->touched + ask.timer <= now)
        on_timer(waiting.after);
}

static int patience(double end)
{
    double until = end;
    if (waiting.after != &waiting && waiting.after->touched + ask.timer < until)
        until = waiting.after->touched + ask.timer;
    return until <= now ? 0 : (int)((until - now) * 1000) + 1;
}

static double run(void)
{
    static struct epoll_event events[EVENTS];
    double start = clock_now(), end = start + ask.limit;
    int begun = 0, slots = ask.clients < ask.transfers ? ask.clients : ask.transfers;
    now = start;
    while ((tally.live > 0 || begun < slots) && now < end) {
        for (int i = 0; begun < slots && (ask.storm || i < RAMP); i++)
            begin(&clients[begun++]);
        bool at_once = ask.busy || begun < slots;
        int count = epoll_wait(epoll_fd, events, EVENTS, at_once ? 0 : patience(end));
        now = clock_now();
        for (int i = 0; i < count; i++)
            arrive(events[i].data.ptr);
        expire();
    }
    return clock_now() - start;
}

/* ------------------------------------------------------------------ the report */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The time that this share of the finished transfers stayed within. */
static double quantile(double share)
{
    int at = (int)(share * tally.finished);
    return tally.finished ? tally.took[at < tally.finished ? at : tally.finished - 1] : 0;
}

static void print_text(const char *text)
{
    putchar('"');
    for (; *text; text++)
        putchar(*text < ' ' || *text == '"' || *text == '\\' || *text > '~' ? '?' : *text);
    putchar('"');
}

static void report(double seconds)
{
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    double cpu = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                 (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) * 1e-6;
    qsort(tally.took, (size_t)tally.finished, sizeof *tally.took, by_value);
    printf("{\"bytes\": %lld, \"seconds\": %.6f, \"finished\": %d, \"failed\": %d, \"unfinished\": %d,\n",
           (long long)tally.bytes, seconds, tally.finished, tally.failed,
           ask.transfers - tally.finished - tally.failed);
    printf(" \"p50\": %.6f, \"p99\": %.6f, \"slowest\": %.6f,\n", quantile(0.5), quantile(0.99),
           quantile(1));
    printf(" \"again_requests\": %lld, \"again_acks\": %lld, \"again_data\": %lld,\n",
           (long long)tally.again_requests, (long long)tally.again_acks,
           (long long)tally.again_data);
    printf(" \"duplicates\": %lld, \"gaps\": %lld, \"dropped_in\": %lld, \"dropped_out\": %lld,\n",
           (long long)tally.duplicates, (long long)tally.gaps, (long long)tally.dropped_in,
           (long long)tally.dropped_out);
    printf(" \"blocks\": %lld, \"packets_in\": %lld, \"packets_out\": %lld, \"wrong\": %lld,\n",
           (long long)tally.blocks, (long long)tally.packets_in, (long long)tally.packets_out,
           (long long)tally.wrong);
    printf(" \"block\": %d, \"window\": %d, \"most_at_once\": %d,\n", tally.granted_block,
           tally.granted_window, tally.most_moving);
    printf(" \"cpu\": %.6f, \"limiting\": %s, \"causes\": {", cpu,
           !ask.busy && cpu > 0.9 * seconds ? "true" : "false");
    for (int i = 0; i < CAUSES && tally.causes[i].count; i++) {
        printf(i ? ", " : "");
        print_text(tally.causes[i].text);
        printf(": %d", tally.causes[i].count);
    }
    printf("}}\n");
}

/* ------------------------------------------------------------------ the command line */

static const char usage[] =
    "usage: load --host ADDRESS --port N --file NAME --size BYTES\n"
    "            [--put] [--numbered] [--clients N] [--transfers N] [--block N, 0: no options]\n"
    "            [--window N] [--offload] [--storm] [--busy] [--check ends|full]\n"
    "            [--loss-in PERCENT] [--loss-out PERCENT] [--seed N]\n"
    "            [--timer SECONDS] [--retries N] [--limit SECONDS] [--cpu N]\n"
    "       load make|verify FILE BYTES\n";

static void misused(void)
{
    fputs(usage, stderr);
    exit(2);
}

static void parse(int count, char **words)
{
    enum { HOST = 1, PORT, FILE_NAME, SIZE, PUT, NUMBERED, CLIENTS, TRANSFERS, BLOCK, WINDOW,
           OFFLOAD, STORM, BUSY, CHECK, LOSS_IN, LOSS_OUT, SEED, TIMER, RETRIES, LIMIT, CPU };
    static const struct option options[] = {
        {"host", 1, 0, HOST}, {"port", 1, 0, PORT}, {"file", 1, 0, FILE_NAME},
        {"size", 1, 0, SIZE}, {"put", 0, 0, PUT}, {"numbered", 0, 0, NUMBERED},
        {"clients", 1, 0, CLIENTS}, {"transfers", 1, 0, TRANSFERS}, {"block", 1, 0, BLOCK},
        {"window", 1, 0, WINDOW}, {"offload", 0, 0, OFFLOAD}, {"storm", 0, 0, STORM},
        {"busy", 0, 0, BUSY}, {"check", 1, 0, CHECK}, {"loss-in", 1, 0, LOSS_IN},
        {"loss-out", 1, 0, LOSS_OUT}, {"seed", 1, 0, SEED}, {"timer", 1, 0, TIMER},
        {"retries", 1, 0, RETRIES}, {"limit", 1, 0, LIMIT}, {"cpu", 1, 0, CPU}, {0, 0, 0, 0}};
    const char *host = NULL, *port = NULL;
    int which;
    while ((which = getopt_long(count, words, "", options, NULL)) != -1)
        switch (which) {
        case HOST: host = optarg; break;
        case PORT: port = optarg; break;
        case FILE_NAME: ask.file = optarg; break;
        case SIZE: ask.size = atoll(optarg); break;
        case PUT: ask.put = true; break;
        case NUMBERED: ask.numbered = true; break;
        case CLIENTS: ask.clients = atoi(optarg); break;
        case TRANSFERS: ask.transfers = atoi(optarg); break;
        case BLOCK: ask.block = atoi(optarg); break;
        case WINDOW: ask.window = atoi(optarg); break;
        case OFFLOAD: ask.offload = true; break;
        case STORM: ask.storm = true; break;
        case BUSY: ask.busy = true; break;
        case CHECK: ask.full_check = strcmp(optarg, "full") == 0; break;
        case LOSS_IN: ask.loss_in = atof(optarg) / 100; break;
        case LOSS_OUT: ask.loss_out = atof(optarg) / 100; break;
        case SEED: ask.seed = strtoull(optarg, NULL, 10); break;
        case TIMER: ask.timer = atof(optarg); break;
        case RETRIES: ask.retries = atoi(optarg); break;
        case LIMIT: ask.limit = atof(optarg); break;
        case CPU: ask.cpu = atoi(optarg); break;
        default: misused();
        }
    if (ask.transfers == 0)
        ask.transfers = ask.clients;
    if (!host || !port || !ask.file || strlen(ask.file) > 200 || ask.clients < 1 ||
        ask.transfers < 1 || ask.size < 0 || ask.window < 1 || ask.timer <= 0 || ask.block < 0 ||
        ask.block > 65464 || (ask.window > 1 && !ask.block))
        misused();
    struct addrinfo *found, hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = AI_NUMERICHOST};
    if (getaddrinfo(host, port, &hints, &found))
        misused();
    memcpy(&ask.server, found->ai_addr, found->ai_addrlen);
    ask.server_length = found->ai_addrlen;
    freeaddrinfo(found);
}

static void prepare(void)
{
    struct rlimit files;
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    if (files.rlim_cur < (rlim_t)ask.clients + 16) {
        fprintf(stderr, "load: %d clients need as many open files; the limit is %llu\n",
                ask.clients, (unsigned long long)files.rlim_cur);
        exit(2);
    }
    if (ask.cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(ask.cpu, &set);
        if (sched_setaffinity(0, sizeof set, &set))
            die("sched_setaffinity");
    }
    room_each = ask.offload ? GRO_ROOM : (size_t)(ask.block > 1024 ? ask.block : 1024) + 64;
    room = need(malloc(room_each * BATCH));
    tally.took = need(calloc((size_t)ask.transfers, sizeof *tally.took));
    clients = need(calloc((size_t)ask.clients, sizeof *clients));
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    waiting.before = waiting.after = &waiting;
    if (ask.put)
        prepare_image();
    for (int i = 0; i < ask.clients; i++) {
        clients[i].before = clients[i].after = &clients[i];
        if (i < ask.transfers)
            open_socket(&clients[i]);
    }
}

int main(int count, char **words)
{
    const uint16_t one = 1;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (*(const uint8_t *)&one != 1) {
        fputs("load: only for little-endian machines\n", stderr);
        return 2;
    }
    if (count == 4 && (strcmp(words[1], "make") == 0 || strcmp(words[1], "verify") == 0))
        return file_command(words[1], words[2], atoll(words[3]));
    parse(count, words);
    prepare();
    report(run());
    return 0;
}
