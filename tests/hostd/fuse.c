/* Preloaded into hosts under test: kills the process just before its n-th call of one of the functions by which
   it writes to disk or speaks to others. Nothing happens before `fuse_arm`. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

static atomic_long left; /* 0: not armed */
static atomic_long seen;

void fuse_arm(long calls) { atomic_store(&seen, 0); atomic_store(&left, calls); }
long fuse_seen(void) { return atomic_load(&seen); }

static void burn(void)
{
    atomic_fetch_add(&seen, 1);
    if (atomic_load(&left) > 0 && atomic_fetch_sub(&left, 1) == 1)
        kill(getpid(), SIGKILL);
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

int fsync(int fd) { burn(); return NEXT(fsync)(fd); }
int fdatasync(int fd) { burn(); return NEXT(fdatasync)(fd); }
int unlink(const char *path) { burn(); return NEXT(unlink)(path); }
int connect(int fd, const struct sockaddr *address, socklen_t size) { burn(); return NEXT(connect)(fd, address, size); }
ssize_t sendmsg(int fd, const struct msghdr *message, int flags) { burn(); return NEXT(sendmsg)(fd, message, flags); }
ssize_t send(int fd, const void *data, size_t size, int flags) { burn(); return NEXT(send)(fd, data, size, flags); }
ssize_t recvmsg(int fd, struct msghdr *message, int flags) { burn(); return NEXT(recvmsg)(fd, message, flags); }
