#include "host.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "../layout.h"

#define MOST_IMAGES 16
#define SEALS (F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL | F_SEAL_FUTURE_WRITE)
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

struct image {
    unsigned char *good, *memory;
    size_t size;
    int descriptor;
};

static struct image images[MOST_IMAGES];
static unsigned images_count, chosen;
static int counters, unsealed, tiny, listener;
static char socket_path[108];
static atomic_uint manner;
static atomic_int churning;

static void must(int condition, const char *what)
{
    if (!condition) {
        perror(what);
        abort();
    }
}

static int shared_memory(size_t size, unsigned char **mapped, int seals)
{
    int descriptor = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    must(descriptor >= 0 && ftruncate(descriptor, (off_t)size) == 0, "memfd");
    if (mapped != NULL) {
        *mapped = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
        must(*mapped != MAP_FAILED, "mmap");
    }
    must(seals == 0 || fcntl(descriptor, F_ADD_SEALS, seals) == 0, "seals");
    return descriptor;
}

static void load(const char *path)
{
    struct image *image = &images[images_count];
    struct stat status;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    must(file >= 0 && fstat(file, &status) == 0, path);
    image->size = (size_t)status.st_size;
    image->good = malloc(image->size);
    must(image->good != NULL && read(file, image->good, image->size) == (ssize_t)image->size, path);
    close(file);
    image->descriptor = shared_memory(image->size, &image->memory, SEALS);
    images_count++;
}

static int by_name(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static void load_all(const char *folder)
{
    char *names[MOST_IMAGES], path[4096];
    unsigned count = 0;
    DIR *listing = opendir(folder);
    must(listing != NULL, folder);
    for (struct dirent *entry; (entry = readdir(listing)) != NULL && count < MOST_IMAGES;)
        if (strstr(entry->d_name, ".snapshot") != NULL)
            names[count++] = strdup(entry->d_name);
    closedir(listing);
    /* An input's first byte chooses by number: the order must not be the folder's. */
    qsort(names, count, sizeof *names, by_name);
    for (unsigned i = 0; i < count; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        load(path);
        free(names[i]);
    }
    must(count > 0, "no *.snapshot");
}

static void send_with(int to, const void *data, size_t size, const int *descriptors, unsigned count)
{
    char control[CMSG_SPACE(16 * sizeof(int))];
    struct iovec part = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    memset(control, 0, sizeof control);
    if (count > 0) {
        message.msg_control = control;
        message.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *rights = CMSG_FIRSTHDR(&message);
        rights->cmsg_level = SOL_SOCKET;
        rights->cmsg_type = SCM_RIGHTS;
        rights->cmsg_len = CMSG_LEN(count * sizeof(int));
        memcpy(CMSG_DATA(rights), descriptors, count * sizeof(int));
    }
    (void)!sendmsg(to, &message, MSG_NOSIGNAL);
}

static void answer_attach(int to, unsigned how)
{
    struct {
        struct vgm_message head;
        int32_t status;
    } answer = {{VGM_MESSAGE_MAGIC, VGM_ATTACH, sizeof answer.status, 0}, 0};
    int both[16];
    unsigned count = 2;
    size_t size = sizeof answer;
    for (unsigned i = 0; i < 16; i++)
        both[i] = counters;
    both[0] = images[chosen].descriptor;
    switch (how % 16) {
    case 1: answer.head.magic ^= 1; break;
    case 2: answer.head.kind = VGM_CALL; break;
    case 3: answer.head.length = 8; break;
    case 4: answer.status = 9; break;
    case 5: answer.status = -1; break;
    case 6: answer.status = 1 << 20; break;
    case 7: count = 0; break;
    case 8: count = 1; break;
    case 9: count = 12; break;
    case 10: size -= 2; break;
    case 11: return;
    case 12: both[0] = unsealed; break;
    case 13: both[0] = tiny; break;
    case 14: both[1] = tiny; break;
    case 15: both[0] = listener; break;
    default: break;
    }
    if (how & 16) { /* in two pieces */
        send_with(to, &answer, 5, both, count);
        send_with(to, (char *)&answer + 5, size - 5, NULL, 0);
    } else {
        send_with(to, &answer, size, both, count);
    }
}

static void answer_call(int to, unsigned how)
{
    struct {
        struct vgm_message head;
        struct vgm_call_answer answer;
    } answer = {{VGM_MESSAGE_MAGIC, VGM_CALL, sizeof answer.answer, 0}, {0, 0, 0}};
    size_t size = sizeof answer;
    switch (how % 8) {
    case 1: answer.answer.code = 19; break;
    case 2: answer.answer.code = -5; break;
    case 3: answer.head.magic = 0; break;
    case 4: answer.head.length = 4; break;
    case 5: size /= 2; break;
    case 6: return;
    case 7: answer.answer.code = 2; break;
    default: break;
    }
    send_with(to, &answer, size, NULL, 0);
}

static void *serve(void *unused)
{
    (void)unused;
    for (;;) {
        struct vgm_message head;
        struct vgm_call_body body;
        int client = accept(listener, NULL, NULL);
        if (client < 0)
            continue;
        unsigned how = atomic_load(&manner);
        if (recv(client, &head, sizeof head, MSG_WAITALL) == (ssize_t)sizeof head) {
            if (head.kind == VGM_ATTACH)
                answer_attach(client, how);
            else if (recv(client, &body, sizeof body, MSG_WAITALL) == (ssize_t)sizeof body)
                answer_call(client, how);
        }
        close(client);
    }
    return NULL;
}

static void *churn(void *unused)
{
    (void)unused;
    const struct timespec pause = {.tv_nsec = 1000000};
    for (;;) {
        if (atomic_load(&churning))
            host_publish();
        else
            clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL);
    }
    return NULL;
}

static char long_folder[256], long_path[256], plain_path[128], other_path[128];

/* A link to the socket whose path is too long for a socket's address, a file, and a second name. */
static void make_names(const char *folder)
{
    snprintf(long_folder, sizeof long_folder, "%s/%0100d", folder, 0);
    snprintf(long_path, sizeof long_path, "%s/socket", long_folder);
    snprintf(plain_path, sizeof plain_path, "%s/file", folder);
    snprintf(other_path, sizeof other_path, "%s/other", folder);
    must(mkdir(long_folder, 0700) == 0 && symlink("../socket", long_path) == 0, long_path);
    must(link(socket_path, other_path) == 0, other_path);
    must(close(creat(plain_path, 0600)) == 0, plain_path);
}

static void remove_names(void)
{
    unlink(long_path);
    rmdir(long_folder);
    unlink(plain_path);
    unlink(other_path);
    unlink(socket_path);
    *strrchr(socket_path, '/') = '\0';
    rmdir(socket_path);
}

void host_name(unsigned which)
{
    const char *names[] = {socket_path, NULL, "", long_path, plain_path, "/nonexistent/socket", other_path};
    const char *name = names[which % (sizeof names / sizeof *names)];
    if (name == NULL)
        unsetenv("VGPU_MIGRATE_HOST");
    else
        setenv("VGPU_MIGRATE_HOST", name, 1);
}

void host_start(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *above = getenv("TMPDIR");
    char folder[80];
    pthread_t thread;
    const char *from = getenv("VGM_FUZZ_IMAGES");
    must(from != NULL, "VGM_FUZZ_IMAGES");
    load_all(from);
    counters = shared_memory(VGM_COUNTERS * sizeof(uint64_t), NULL, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL);
    unsealed = shared_memory(1 << 16, NULL, 0);
    tiny = shared_memory(64, NULL, SEALS);
    /* Fuzzers often end without their atexit: whoever runs them removes this folder's parent. */
    int length = snprintf(folder, sizeof folder, "%s/vgm-fuzz-XXXXXX", above != NULL ? above : "/tmp");
    must(length < (int)sizeof folder && mkdtemp(folder) != NULL, "mkdtemp");
    snprintf(socket_path, sizeof socket_path, "%s/socket", folder);
    memcpy(address.sun_path, socket_path, sizeof socket_path);
    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(listener >= 0 && bind(listener, (struct sockaddr *)&address, sizeof address) == 0, "bind");
    must(listen(listener, 16) == 0, "listen");
    make_names(folder);
    atexit(remove_names);
    host_name(0);
    must(pthread_create(&thread, NULL, serve, NULL) == 0, "thread");
    must(pthread_create(&thread, NULL, churn, NULL) == 0, "thread");
}

unsigned host_images(void)
{
    return images_count;
}

unsigned char *host_choose(unsigned image, size_t *size)
{
    chosen = image % images_count;
    memcpy(images[chosen].memory, images[chosen].good, images[chosen].size);
    host_beat();
    return host_memory(size);
}

unsigned char *host_memory(size_t *size)
{
    *size = images[chosen].size;
    return images[chosen].memory;
}

static struct vgm_header *header(void)
{
    return (struct vgm_header *)images[chosen].memory;
}

void host_beat(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    __atomic_store_n(&header()->heartbeat_ms, (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000,
                     __ATOMIC_RELAXED);
}

void host_publish(void)
{
    __atomic_fetch_add(&header()->generation, 1, __ATOMIC_SEQ_CST);
}

void host_leave(void)
{
    __atomic_store_n(&header()->gone, 1, __ATOMIC_RELAXED);
}

void host_return(void)
{
    __atomic_store_n(&header()->gone, 0, __ATOMIC_RELAXED);
    host_beat();
}

void host_behave(unsigned how)
{
    atomic_store(&manner, how);
}

void host_churn(int on)
{
    atomic_store(&churning, on);
}

/* A damaged snapshot may ask for an hour's delay; the fuzzers have none. */
int nanosleep(const struct timespec *wanted, struct timespec *left)
{
    (void)wanted;
    (void)left;
    return 0;
}

#define FAILING_MMAP 1u
#define FAILING_SOCKET 2u
#define FAILING_SETTING 4u
#define INTERRUPTED 8u
#define IN_PIECES 16u
#define FAILING_TRANSFER 32u

static _Thread_local unsigned trouble; /* of the fuzzing thread alone */

void host_trouble(unsigned kinds)
{
    trouble = kinds;
}

static int is_in_trouble(unsigned kind, int error)
{
    if ((trouble & kind) == 0)
        return 0;
    errno = error;
    return 1;
}

/* AddressSanitizer's own clears the shadow of 64 MiB at every attach, which is most of a run. */
void *mmap(void *place, size_t size, int protection, int flags, int descriptor, off_t offset)
{
    if (is_in_trouble(FAILING_MMAP, ENOMEM)) {
        trouble &= ~FAILING_MMAP;
        return MAP_FAILED;
    }
    return (void *)syscall(SYS_mmap, place, size, protection, flags, descriptor, offset);
}

int socket(int domain, int type, int protocol)
{
    return is_in_trouble(FAILING_SOCKET, EMFILE) ? -1 : (int)syscall(SYS_socket, domain, type, protocol);
}

int setsockopt(int to, int level, int name, const void *value, socklen_t size)
{
    if (is_in_trouble(FAILING_SETTING, ENOPROTOOPT))
        return -1;
    return (int)syscall(SYS_setsockopt, to, level, name, value, size);
}

static int is_interrupted(void)
{
    if (is_in_trouble(FAILING_TRANSFER, EPIPE))
        return 1;
    if (!is_in_trouble(INTERRUPTED, EINTR))
        return 0;
    trouble &= ~INTERRUPTED;
    return 1;
}

ssize_t send(int to, const void *bytes, size_t size, int flags)
{
    if (is_interrupted())
        return -1;
    return syscall(SYS_sendto, to, bytes, trouble & IN_PIECES && size > 3 ? 3 : size, flags, NULL, 0);
}

ssize_t recvmsg(int from, struct msghdr *message, int flags)
{
    if (is_interrupted())
        return -1;
    if (trouble & IN_PIECES && message->msg_iovlen == 1 && message->msg_iov->iov_len > 3)
        message->msg_iov->iov_len = 3;
    return syscall(SYS_recvmsg, from, message, flags);
}
