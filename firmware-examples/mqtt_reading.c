/* mqtt_reading.c - a sensor that sends its readings to weir over MQTT 3.1.1 at QoS 1, and keeps each one
 * until it is acknowledged.
 *
 * All it needs is sockets as BSD has them (lwIP, Zephyr and Linux do), 4 KiB of memory and a clock of
 * milliseconds; there is no library and nothing is allocated. On a device, replace read_sensor, now_ms and
 * pause_ms; here the sensor is standard input, a reading a line: TEMPERATURE,HUMIDITY[,MILLISECONDS SINCE
 * 1970].
 *
 *     mqtt_reading HOST PORT TOPIC DEVICE < readings.csv
 *
 * Rules it keeps: one message in flight, so order stands; a message that got no PUBACK is sent again under
 * the same identifier with the DUP flag; while the link is down the newest KEPT readings wait, and older ones
 * that had to go are counted; tries to connect are spaced out, doubling, with chance in it, so that a
 * thousand devices don't come back in the same second. */
#include <errno.h>
#include <inttypes.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    KEPT = 32,
    PACKET_BYTES = 256,
    WAIT_MS = 5000,
    BACKOFF_FIRST_MS = 100,
    BACKOFF_MOST_MS = 60000,
    KEEP_ALIVE_S = 60
};

struct reading {
    int64_t ts_ms;
    double temperature, humidity;
};
static struct reading kept[KEPT]; /* a ring: the oldest is at head */
static unsigned head, count, lost;
static int link_fd = -1;
static uint16_t packet_id = 1;

/* ---- what a device has its own way for ---- */

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void pause_ms(int ms)
{
    poll(NULL, 0, ms);
}

/* False: there will be no more (a real sensor never says so). */
static bool read_sensor(struct reading *r)
{
    char line[128];
    if (!fgets(line, sizeof line, stdin))
        return false;
    char *at = line;
    r->temperature = strtod(at, &at);
    r->humidity = *at == ',' ? strtod(at + 1, &at) : 0;
    r->ts_ms = *at == ',' ? strtoll(at + 1, NULL, 10) : now_ms();
    return true;
}

/* ---- MQTT ---- */

static void drop_link(void)
{
    if (link_fd >= 0)
        close(link_fd);
    link_fd = -1;
}

static bool write_all(const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(link_fd, bytes, len, MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

/* Exactly len bytes within WAIT_MS a piece. */
static bool read_all(uint8_t *bytes, size_t len)
{
    while (len > 0) {
        struct pollfd ready = {.fd = link_fd, .events = POLLIN};
        if (poll(&ready, 1, WAIT_MS) <= 0)
            return false;
        ssize_t n = recv(link_fd, bytes, len, 0);
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

/* Texts of MQTT: two bytes of length, then the bytes. */
static size_t add_text(uint8_t *out, size_t at, const char *text)
{
    size_t len = strlen(text);
    out[at] = (uint8_t)(len >> 8);
    out[at + 1] = (uint8_t)len;
    memcpy(out + at + 2, text, len);
    return at + 2 + len;
}

/* Puts the fixed header before a body that starts at packet + 3, with two bytes of remaining length; returns
 * the whole length. */
static size_t close_packet(uint8_t *packet, uint8_t type, size_t end)
{
    size_t len = end - 3;
    packet[0] = type;
    packet[1] = (uint8_t)((len & 127) | 128);
    packet[2] = (uint8_t)(len >> 7);
    return end;
}

static bool connect_tcp(const char *host, const char *port)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found = NULL;
    if (getaddrinfo(host, port, &hints, &found) != 0)
        return false;
    for (struct addrinfo *a = found; a && link_fd < 0; a = a->ai_next) {
        link_fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
        if (link_fd >= 0 && connect(link_fd, a->ai_addr, a->ai_addrlen) < 0)
            drop_link();
    }
    freeaddrinfo(found);
    return link_fd >= 0;
}

/* CONNECT with a clean session (what must not get lost is in `kept`), and its CONNACK. */
static bool open_link(const char *host, const char *port, const char *device)
{
    uint8_t packet[PACKET_BYTES], answer[4];
    if (!connect_tcp(host, port))
        return false;
    size_t at = add_text(packet, 3, "MQTT");
    packet[at++] = 4;    /* MQTT 3.1.1 */
    packet[at++] = 0x02; /* clean session */
    packet[at++] = 0;
    packet[at++] = KEEP_ALIVE_S;
    at = add_text(packet, at, device);
    if (write_all(packet, close_packet(packet, 0x10, at)) && read_all(answer, 4) && answer[0] == 0x20 &&
        answer[3] == 0)
        return true;
    drop_link();
    return false;
}

/* PUBLISH at QoS 1, and its PUBACK. Weir acknowledges to the broker what it keeps; the broker acknowledges to
 * us. */
static bool publish(const char *topic, const char *text, bool again)
{
    uint8_t packet[PACKET_BYTES], answer[4];
    size_t at = add_text(packet, 3, topic), len = strlen(text);
    packet[at++] = (uint8_t)(packet_id >> 8);
    packet[at++] = (uint8_t)packet_id;
    memcpy(packet + at, text, len);
    size_t end = close_packet(packet, (uint8_t)(again ? 0x3A : 0x32), at + len);
    if (!write_all(packet, end) || !read_all(answer, 4) || answer[0] != 0x40 || answer[2] != packet_id >> 8 ||
        answer[3] != (packet_id & 255)) {
        drop_link();
        return false;
    }
    packet_id = (uint16_t)(packet_id == UINT16_MAX ? 1 : packet_id + 1);
    return true;
}

/* ---- readings ---- */

static void keep(const struct reading *r)
{
    if (count == KEPT) { /* the newest matter most */
        head = (head + 1) % KEPT;
        count--;
        lost++;
    }
    kept[(head + count++) % KEPT] = *r;
}

/* Sends what is kept, oldest first, as far as the link carries. */
static bool send_kept(const char *topic, const char *device)
{
    static bool again;
    while (count > 0) {
        const struct reading *r = &kept[head];
        char text[160];
        snprintf(text, sizeof text,
                 "{\"device\":\"%s\",\"temperature\":%.2f,\"humidity\":%.2f,\"ts\":%" PRId64 "}", device,
                 r->temperature, r->humidity, r->ts_ms);
        if (!publish(topic, text, again)) {
            again = true;
            return false;
        }
        again = false;
        head = (head + 1) % KEPT;
        count--;
    }
    return true;
}

int main(int argc, char **argv)
{
    if (argc != 5 || strlen(argv[3]) > 64 || strlen(argv[4]) > 23) {
        fputs(
            "usage: mqtt_reading HOST PORT TOPIC DEVICE < readings (topic up to 64 bytes, device up to 23)\n",
            stderr);
        return 2;
    }
    struct reading r;
    int backoff_ms = BACKOFF_FIRST_MS;
    bool more = true;
    srand((unsigned)now_ms() ^ (unsigned)getpid());
    while (more || count > 0) {
        if (more && (more = read_sensor(&r)))
            keep(&r);
        if ((link_fd >= 0 || open_link(argv[1], argv[2], argv[4])) && send_kept(argv[3], argv[4])) {
            backoff_ms = BACKOFF_FIRST_MS;
            continue;
        }
        pause_ms(backoff_ms / 2 + rand() % backoff_ms);
        backoff_ms = backoff_ms * 2 > BACKOFF_MOST_MS ? BACKOFF_MOST_MS : backoff_ms * 2;
    }
    drop_link();
    if (lost)
        fprintf(stderr, "mqtt_reading: %u readings were too many to keep\n", lost);
    return lost ? 1 : 0;
}
