/*
 * A server in C that holdfast can replace without losing a request; a thread for each connection, requests of up to 8 KB.
 *
 *   cc -O2 -pthread -o server server.c && holdfast start --exec --listen 127.0.0.1:3000 -i 2 -- ./server
 *
 * What it does for that: it takes the listening socket that it is given (LISTEN_FDS), and at SIGTERM it stops accepting, finishes
 * what it has begun, and has each client that is still there go elsewhere by `Connection: close`.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/* The first of the sockets that are passed: sd_listen_fds(3). */
#define FIRST_FD 3
#define IDLE_MS 20000

static atomic_int stopping, connections;
static int wake[2];

static void stop(int signal) {
  (void)signal;
  stopping = 1;
  (void)!write(wake[1], "", 1);
}

static int passed_socket(void) {
  const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
  if (pid == NULL || fds == NULL || atoi(pid) != getpid() || atoi(fds) < 1) return -1;
  /* Another worker may take a connection that this one has been woken up for: then there is none, and it must not wait. */
  fcntl(FIRST_FD, F_SETFL, fcntl(FIRST_FD, F_GETFL) | O_NONBLOCK);
  return FIRST_FD;
}

static int send_all(int fd, const char *text, size_t length) {
  while (length > 0) {
    ssize_t sent = send(fd, text, length, MSG_NOSIGNAL);
    if (sent <= 0) return -1;
    text += sent;
    length -= (size_t)sent;
  }
  return 0;
}

static int answer(int fd, int bad, long received) {
  char body[128], head[256];
  const char *generation = getenv("HOLDFAST_GENERATION");
  int is_last = stopping;
  int length = snprintf(body, sizeof body, "{\"pid\":%d,\"generation\":%s,\"received\":%ld}", getpid(),
                        generation == NULL ? "0" : generation, received);
  int head_length = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n%s\r\n",
                             bad ? "500 Internal Server Error" : "200 OK", length, is_last ? "Connection: close\r\n" : "");
  if (send_all(fd, head, (size_t)head_length) < 0 || send_all(fd, body, (size_t)length) < 0) return -1;
  return is_last ? -1 : 0;
}

/* One request after the other, until the client or the end has come. */
static void *serve(void *argument) {
  int fd = (int)(long)argument;
  char buffer[8192];
  size_t held = 0;
  for (;;) {
    buffer[held] = '\0';
    char *end = strstr(buffer, "\r\n\r\n");
    if (end == NULL) {
      struct pollfd reading = {.fd = fd, .events = POLLIN};
      if (held == sizeof buffer - 1 || poll(&reading, 1, IDLE_MS) <= 0) break;
      ssize_t got = recv(fd, buffer + held, sizeof buffer - 1 - held, 0);
      if (got <= 0) break;
      held += (size_t)got;
      continue;
    }
    char *length = strcasestr(buffer, "\r\ncontent-length:");
    size_t head = (size_t)(end - buffer) + 4;
    size_t body = length != NULL && length < end ? strtoul(length + 17, NULL, 10) : 0;
    int is_bad = strncmp(buffer, "GET /healthz ", 13) == 0 && getenv("UNHEALTHY") != NULL;
    size_t missing = head + body;
    while (missing > held) {
      ssize_t got = recv(fd, buffer + held, held < sizeof buffer - 1 ? sizeof buffer - 1 - held : 0, 0);
      if (got <= 0) goto gone;
      held += (size_t)got;
    }
    if (answer(fd, is_bad, (long)body) < 0) break;
    held -= missing;
    memmove(buffer, buffer + missing, held);
  }
gone:
  /* What the client has sent meanwhile would have the kernel reset what it has not read yet. */
  shutdown(fd, SHUT_WR);
  struct pollfd closing = {.fd = fd, .events = POLLIN};
  while (poll(&closing, 1, 1000) > 0 && recv(fd, buffer, sizeof buffer, 0) > 0) continue;
  close(fd);
  connections--;
  return NULL;
}

int main(void) {
  int listener = passed_socket();
  if (listener < 0) {
    fprintf(stderr, "no socket was passed: start it with holdfast, or systemd-socket-activate\n");
    return 1;
  }
  if (pipe2(wake, O_NONBLOCK | O_CLOEXEC) < 0) return 1;
  struct sigaction action = {.sa_handler = stop};
  sigaction(SIGTERM, &action, NULL);
  puts("accepting");
  fflush(stdout);
  while (!stopping) {
    struct pollfd waiting[] = {{.fd = listener, .events = POLLIN}, {.fd = wake[0], .events = POLLIN}};
    if (poll(waiting, 2, -1) < 0 && errno != EINTR) return 1;
    if (stopping || !(waiting[0].revents & POLLIN)) continue;
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    pthread_t thread;
    if (fd < 0) continue;
    connections++;
    if (pthread_create(&thread, NULL, serve, (void *)(long)fd) == 0) pthread_detach(thread);
    else {
      close(fd);
      connections--;
    }
  }
  close(listener);
  while (connections > 0) usleep(10000);
  return 0;
}
