/* SPDX-License-Identifier: MIT */
/* sockets.c: what all ways share: the listener, the question, the answer. */
#include "ways.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void way_die(const char *what) {
  fprintf(stderr, "plumb-ways-to-serve: %s: %s\n", what, strerror(errno));
  exit(1);
}

int way_listen(int *port) {
  struct sockaddr_in name = {.sin_family = AF_INET,
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof name;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (void *)&name, size) || listen(fd, BACKLOG) ||
      getsockname(fd, (void *)&name, &size))
    way_die("listen");
  *port = ntohs(name.sin_port);
  return fd;
}

void way_tell(int port) {
  printf("listening %d\n", port);
  fflush(stdout);
}

void way_fill(char *answer, unsigned worker) {
  memset(answer, '.', ANSWER);
  answer[0] = (char)('A' + worker);
  answer[ANSWER - 1] = '\n';
}

void way_answer(int fd, unsigned worker) {
  char bytes[QUESTION_MOST], answer[ANSWER];
  ssize_t size;
  do
    size = recv(fd, bytes, sizeof bytes, 0);
  while ((size > 0 && !memchr(bytes, '\n', (size_t)size)) ||
         (size < 0 && errno == EINTR));
  if (size > 0) {
    way_fill(answer, worker);
    if (send(fd, answer, sizeof answer, MSG_NOSIGNAL) < 0) errno = 0;
  }
  close(fd);
}
