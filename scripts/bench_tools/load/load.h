/*
 * load.h - what the files of the load generator share: the job, the tally, one client.
 */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum { HEADER = 4, CLASSIC_BLOCK = 512, CAUSES = 8 };

/* What is asked for. */
typedef struct {
    struct sockaddr_storage server;
    socklen_t server_length;
    const char *file;
    bool put, numbered, offload, storm, busy, full_check;
    int64_t size;
    int clients, transfers, block, window, retries, cpu;
    double loss_in, loss_out; /* shares, 0 to 1 */
    double timer, limit;
    uint64_t seed;
} Job;

/* What came of it. */
typedef struct {
    int64_t bytes, blocks, packets_in, packets_out, duplicates, gaps, dropped_in, dropped_out;
    int64_t again_requests, again_acks, again_data, wrong;
    int started, live, finished, failed, moving, most_moving, granted_block, granted_window;
    double *took; /* seconds of each finished transfer */
    struct {
        char text[120];
        int count;
    } causes[CAUSES];
} Tally;

typedef enum { IDLE, ASKING, MOVING } Phase;

typedef struct Client Client;
struct Client {
    int fd, number, tries;
    Phase phase;
    int block, window;      /* as granted */
    int64_t last;           /* last block in order (get), or acknowledged (put) */
    int64_t ack_at;         /* get: where the next ACK is due */
    int64_t top;            /* put: highest block sent */
    bool gap_told;          /* get: this gap is acknowledged; put: this base was sent again */
    bool echo;              /* get: the last packet was a copy of the last block */
    bool repeating;         /* get: the server goes through a window again */
    double began, touched;
    uint64_t random;
    Client *before, *after; /* in the ring of those who wait, the longest first */
};

extern Job ask;
extern Tally tally;
extern double now;     /* seconds; set once for each wake-up */
extern Client waiting; /* head of the ring */

double clock_now(void);
void die(const char *what);
void *need(void *memory);

/* content.c */
bool is_right(const uint8_t *bytes, size_t count, int64_t offset, bool full);
void fill(uint8_t *bytes, size_t count, int64_t offset);
int file_command(const char *verb, const char *path, int64_t size);

/* client.c */
void watch(int fd, Client *client); /* load.c: a socket that wants to be heard */
void open_socket(Client *client);
void begin(Client *client);
void fail(Client *client, const char *text);
void on_packet(Client *client, const uint8_t *packet, size_t count, const struct sockaddr *from);
void after_packets(Client *client);
void on_timer(Client *client);
void prepare_image(void);

#endif
