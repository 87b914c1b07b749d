/* Moves the clock of the program that preloads this, by CLOCK_AHEAD seconds: what it reads, and the times of the packets
 * that libpcap gives it, which the kernel's clock has stamped. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <pcap/pcap.h>
#include <stdlib.h>
#include <time.h>

static time_t ahead(void)
{
    const char *seconds = getenv("CLOCK_AHEAD");
    return seconds ? strtol(seconds, NULL, 10) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *time)
{
    int (*next)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int result = next(clock, time);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        time->tv_sec += ahead();
    return result;
}

struct receiver {
    pcap_handler handler;
    u_char *user;
};

static void receive(u_char *user, const struct pcap_pkthdr *header, const u_char *bytes)
{
    struct receiver *receiver = (struct receiver *)user;
    struct pcap_pkthdr moved = *header;
    moved.ts.tv_sec += ahead();
    receiver->handler(receiver->user, &moved, bytes);
}

int pcap_dispatch(pcap_t *handle, int count, pcap_handler handler, u_char *user)
{
    int (*next)(pcap_t *, int, pcap_handler, u_char *) = dlsym(RTLD_NEXT, "pcap_dispatch");
    struct receiver receiver = {handler, user};
    return next(handle, count, receive, (u_char *)&receiver);
}
