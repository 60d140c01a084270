/* SPDX-License-Identifier: MIT */
#include "access_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static void flush(struct access_log *log) {
  size_t done = 0;
  while (done < log->lines.length) {
    ssize_t size =
        write(log->fd, log->lines.at + done, log->lines.length - done);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) {
      /* The service goes on; whoever looks after it is told once. */
      if (log->failed != errno)
        fprintf(stderr, "%s: %s; requests are served, but not logged\n",
                log->path, strerror(errno));
      log->failed = errno;
      break;
    }
    log->failed = 0;
    done += (size_t)size;
  }
  log->lines.length = 0;
}

static void on_before_sleep(void *arg, int status) {
  (void)status;
  struct access_log *log = arg;
  if (log->lines.length) flush(log);
}

int access_log_open(struct access_log *log, struct pl_loop *loop,
                    const char *path) {
  *log = (struct access_log){.path = path};
  log->fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (log->fd < 0) return -errno;
  pl_watcher_init(loop, PL_OBJECT_PREPARE, &log->before_sleep, on_before_sleep,
                  log);
  pl_watcher_start(&log->before_sleep);
  pl_object_unref(&log->before_sleep);
  return 0;
}

void access_log_add(struct access_log *log, const char *method,
                    const char *url) {
  struct timespec now;
  struct tm parts;
  char stamp[64];
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &parts);
  size_t size = strftime(stamp, sizeof stamp, "%Y-%m-%dT%H:%M:%S", &parts);
  snprintf(stamp + size, sizeof stamp - size, ".%03ldZ ",
           now.tv_nsec / 1000000);
  size_t begin = log->lines.length;
  size_t most = strlen(stamp) + strlen(method) + 2 + 3 * strlen(url);
  if (!bytes_room(&log->lines, most)) return;
  bytes_add(&log->lines, stamp, strlen(stamp));
  bytes_add(&log->lines, method, strlen(method));
  char *at = log->lines.at + log->lines.length;
  *at++ = ' ';
  for (const unsigned char *c = (const unsigned char *)url; *c; c++) {
    if (*c > ' ' && *c < 127)
      *at++ = (char)*c;
    else
      at += sprintf(at, "%%%02X", *c);
  }
  *at++ = '\n';
  log->lines.length = (size_t)(at - log->lines.at);
  if (begin > (size_t)1 << 20) flush(log);
}

void access_log_close(struct access_log *log) {
  flush(log);
  pl_handle_close(&log->before_sleep, NULL);
  close(log->fd);
  bytes_drop(&log->lines);
}
