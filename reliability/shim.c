/* Makes the n-th system call of a kind fail, fall short, or kill its process; see harness.py.

   Loaded by LD_PRELOAD. Calls count when they concern a path below `folder`, or a file opened there; all others pass
   untouched. Armed by fault_arm, or, in a process of its own, by RELIABILITY_FAULT="calls nth action forever folder". */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { OPEN = 1, WRITE = 2, FSYNC = 4, RENAME = 8, MKDIR = 16, UNLINK = 32 };
enum { SHORT = 0, KILL_BEFORE = -1, KILL_AFTER = -2, KILL_HALFWAY = -3 }; /* a positive action is an errno */
#define MOST_FILES 4096

static char folder[4096];
static size_t length;
static int calls, action, forever;
static long nth, own[2];
static volatile long *seen = own; /* [0] calls counted, [1] whether the fault has struck */
static unsigned char inside[MOST_FILES];

void fault_arm(const char *where, int which, long n, int what, int always, long *shared) {
    strncpy(folder, where, sizeof folder - 1);
    length = strlen(folder);
    calls = which, nth = n, action = what, forever = always;
    if (shared) seen = shared;
    seen[0] = seen[1] = 0;
}

__attribute__((constructor)) static void arm_from_environment(void) {
    const char *text = getenv("RELIABILITY_FAULT");
    int which, what, always, at = 0;
    long n;
    if (text && sscanf(text, "%d %ld %d %d %n", &which, &n, &what, &always, &at) == 4)
        fault_arm(text + at, which, n, what, always, NULL);
}

static int below(int directory, const char *path) {
    if (!length || !path) return 0;
    if (path[0] == '/') return !strncmp(path, folder, length) && (!path[length] || path[length] == '/');
    return directory >= 0 && directory < MOST_FILES && inside[directory];
}

static int ours(int file) { return length && file >= 0 && file < MOST_FILES && inside[file]; }

/* Whether the fault strikes this call. */
static int strikes(int kind) {
    if (!(calls & kind)) return 0;
    long now = ++seen[0];
    if (!(now == nth || (forever && nth && now > nth))) return 0;
    seen[1] = 1;
    if (action == KILL_BEFORE || (action == KILL_HALFWAY && kind != WRITE)) kill(getpid(), SIGKILL);
    return 1;
}

static void *next_of(const char *name) { return dlsym(RTLD_NEXT, name); }

#define CALL(type, name, arguments, values, kind, counted, done)                                                       \
    type name arguments {                                                                                              \
        static type(*real) arguments;                                                                                  \
        if (!real) *(void **)&real = next_of(#name);                                                                   \
        int struck = (counted) && strikes(kind);                                                                       \
        if (struck && action > 0) { errno = action; return -1; }                                                       \
        type result = real values;                                                                                     \
        done;                                                                                                          \
        if (struck && action == KILL_AFTER) kill(getpid(), SIGKILL);                                                   \
        return result;                                                                                                 \
    }

#define NOTE if (result >= 0 && result < MOST_FILES) inside[result] = length && below(directory, path)
#define MODE mode_t mode = 0; if (flags & (O_CREAT | O_TMPFILE)) { va_list list; va_start(list, flags);               \
        mode = va_arg(list, mode_t); va_end(list); }

static int do_open(int directory, const char *path, int flags, mode_t mode) {
    static int (*real)(int, const char *, int, ...);
    if (!real) *(void **)&real = next_of("openat64");
    int struck = below(directory, path) && strikes(OPEN);
    if (struck && action > 0) { errno = action; return -1; }
    int result = real(directory, path, flags, mode);
    NOTE;
    if (struck && action == KILL_AFTER) kill(getpid(), SIGKILL);
    return result;
}
int open(const char *path, int flags, ...) { MODE return do_open(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE return do_open(AT_FDCWD, path, flags, mode); }
int openat(int directory, const char *path, int flags, ...) { MODE return do_open(directory, path, flags, mode); }
int openat64(int directory, const char *path, int flags, ...) { MODE return do_open(directory, path, flags, mode); }

int close(int file) {
    static int (*real)(int);
    if (!real) *(void **)&real = next_of("close");
    if (file >= 0 && file < MOST_FILES) inside[file] = 0;
    return real(file);
}

ssize_t write(int file, const void *bytes, size_t count) {
    static ssize_t (*real)(int, const void *, size_t);
    if (!real) *(void **)&real = next_of("write");
    if (!ours(file) || !strikes(WRITE)) return real(file, bytes, count);
    if (action > 0) { errno = action; return -1; }
    size_t half = count > 1 ? count / 2 : count;
    ssize_t result = real(file, bytes, action == KILL_AFTER ? count : half);
    if (action < 0) kill(getpid(), SIGKILL);
    return result;
}

ssize_t writev(int file, const struct iovec *parts, int count) {
    static ssize_t (*real)(int, const struct iovec *, int);
    if (!real) *(void **)&real = next_of("writev");
    return ours(file) && count > 0 ? write(file, parts[0].iov_base, parts[0].iov_len) : real(file, parts, count);
}

CALL(int, fsync, (int file), (file), FSYNC, ours(file), )
CALL(int, fdatasync, (int file), (file), FSYNC, ours(file), )
CALL(int, rename, (const char *from, const char *to), (from, to), RENAME, below(-1, from) || below(-1, to), )
CALL(int, renameat, (int a, const char *from, int b, const char *to), (a, from, b, to), RENAME, below(a, from), )
CALL(int, mkdir, (const char *path, mode_t mode), (path, mode), MKDIR, below(-1, path), )
CALL(int, mkdirat, (int a, const char *path, mode_t mode), (a, path, mode), MKDIR, below(a, path), )
CALL(int, unlink, (const char *path), (path), UNLINK, below(-1, path), )
CALL(int, unlinkat, (int a, const char *path, int flags), (a, path, flags), UNLINK, below(a, path), )
CALL(int, rmdir, (const char *path), (path), UNLINK, below(-1, path), )
