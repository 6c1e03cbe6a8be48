/* Loaded before the C library: lets the n-th change of a file below a folder fail, get lost, or end
   the process. Counting starts when faults_arm() was called. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

enum kind { WRITE = 1, SYNC = 2, RENAME = 4, REMOVE = 8 };
enum fault { NONE = 0, FAIL = 1, LOSE = 2, KILL = 3 };

static char folder[PATH_MAX];
static int kinds, fault, error_number;
static long place, seen;

void faults_arm(const char *below, int which, int how, int error, long at) {
    snprintf(folder, sizeof folder, "%s", below);
    kinds = which, fault = how, error_number = error, place = at, seen = 0;
}

long faults_seen(void) { return seen; }

static int below(const char *path) {
    return folder[0] && strncmp(path, folder, strlen(folder)) == 0;
}

static int named(int descriptor) {
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    /* SQLite believes a disk that says it has written. */
    if (fault == LOSE && strstr(path, "people.sqlite")) return 0;
    return below(path);
}

/* Whether this change is the one: what to do about it. */
static int due(int kind, int here) {
    if (!here || !(kinds & kind)) return NONE;
    if (seen++ != place) return NONE;
    if (fault == KILL) raise(SIGKILL);
    if (fault == FAIL) errno = error_number;
    return fault;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int descriptor, const void *data, size_t size) {
    int now = due(WRITE, folder[0] ? named(descriptor) : 0);
    if (now == FAIL) return -1;
    return now == LOSE ? (ssize_t)size : REAL(write)(descriptor, data, size);
}

ssize_t pwrite(int descriptor, const void *data, size_t size, off_t at) {
    int now = due(WRITE, folder[0] ? named(descriptor) : 0);
    if (now == FAIL) return -1;
    return now == LOSE ? (ssize_t)size : REAL(pwrite)(descriptor, data, size, at);
}

ssize_t pwrite64(int descriptor, const void *data, size_t size, off64_t at) {
    int now = due(WRITE, folder[0] ? named(descriptor) : 0);
    if (now == FAIL) return -1;
    return now == LOSE ? (ssize_t)size : REAL(pwrite64)(descriptor, data, size, at);
}

int fsync(int descriptor) {
    int now = due(SYNC, folder[0] ? named(descriptor) : 0);
    return now == FAIL ? -1 : now == LOSE ? 0 : REAL(fsync)(descriptor);
}

int fdatasync(int descriptor) {
    int now = due(SYNC, folder[0] ? named(descriptor) : 0);
    return now == FAIL ? -1 : now == LOSE ? 0 : REAL(fdatasync)(descriptor);
}

int rename(const char *from, const char *to) {
    return due(RENAME, below(to)) == FAIL ? -1 : REAL(rename)(from, to);
}

int link(const char *from, const char *to) {
    return due(RENAME, below(to)) == FAIL ? -1 : REAL(link)(from, to);
}

int unlink(const char *path) { return due(REMOVE, below(path)) == FAIL ? -1 : REAL(unlink)(path); }

int unlinkat(int at, const char *path, int flags) {
    return due(REMOVE, folder[0] ? named(at) : 0) == FAIL ? -1 : REAL(unlinkat)(at, path, flags);
}
