/* A host for the fuzzers, in a thread of their own process: hands out snapshots that they may damage. */
#ifndef FUZZ_HOST_H
#define FUZZ_HOST_H

#include <stddef.h>
#include <stdint.h>

/* Load the snapshots of the folder that VGM_FUZZ_IMAGES names, listen, and name the socket to the library. */
void host_start(void);
/* How many snapshots there are. */
unsigned host_images(void);
/* Choose the snapshot that the next attach gets, as it was loaded. Its bytes and how many they are. */
unsigned char *host_choose(unsigned image, size_t *size);
/* The memory of the snapshot in use. */
unsigned char *host_memory(size_t *size);
/* The heart beats: the host is alive now. */
void host_beat(void);
/* The generation goes up by one; the slots stay as they are. */
void host_publish(void);
/* Say that the host is gone, so that the next init attaches anew. */
void host_leave(void);
/* And that it is not. */
void host_return(void);
/* How the next connections are answered; 0 is as a host should. */
void host_behave(unsigned manner);
/* From now until it is called with 0, somebody raises the generation without end. */
void host_churn(int on);

/* What the environment says of the host: 0 its socket, 1 nothing, 2 an empty word, 3 a path that is too long for a
   socket, 4 a file that is none, 5 what is not there, 6 another name of the socket. */
void host_name(unsigned which);
/* The next calls of the library to the kernel go wrong, a bit for each kind: 1 mmap, 2 socket, 4 setsockopt fail;
   8 send and receive are interrupted, 16 take a few bytes at a time, 32 fail. */
void host_trouble(unsigned kinds);

#endif
