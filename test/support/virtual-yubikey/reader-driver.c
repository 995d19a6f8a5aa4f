/*
 * A reader driver for pcscd (IFDHandler 3.0) whose readers and cards are the test's: each reader is a Unix socket, named by
 * DEVICENAME. One connection carries commands, one request and one reply at a time; the other brings a byte for each card
 * that comes (1) or goes (0). Frames are a length (4 bytes, big endian), then a code, then the body.
 */
#include <errno.h>
#include <ifdhandler.h>
#include <poll.h>
#include <reader.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { MAX_READERS = 4, HELLO_MS = 5000, COMMAND_MS = 60000 };
/* An extended APDU and its frame. */
enum { MAX_FRAME = 4 + 1 + MAX_BUFFER_SIZE_EXTENDED };
enum { OP_POWER_UP = 1, OP_POWER_DOWN = 2, OP_TRANSMIT = 3 };
enum { REPLY_OK = 0, REPLY_NO_CARD = 1 };

struct reader {
  int commands;
  int events;
  /* Set by the polling thread only, one event at a time: pcscd then sees each coming and going, however short. */
  volatile int present;
  UCHAR atr[MAX_ATR_SIZE];
  DWORD atr_length;
};

static struct reader readers[MAX_READERS] = {{-1, -1, 0, {0}, 0}, {-1, -1, 0, {0}, 0}, {-1, -1, 0, {0}, 0}, {-1, -1, 0, {0}, 0}};

static struct reader *reader_of(DWORD lun) {
  DWORD index = lun >> 16;
  return index < MAX_READERS && readers[index].commands >= 0 ? &readers[index] : NULL;
}

static int64_t now_ms(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* 1: readable, 0: the time is over, -1: broken. */
static int wait_readable(int fd, int timeout_ms) {
  int64_t deadline = now_ms() + timeout_ms;
  struct pollfd waited = {fd, POLLIN, 0};
  for (;;) {
    int64_t left = deadline - now_ms();
    int ready = poll(&waited, 1, left > 0 ? (int)left : 0);
    if (ready >= 0 || errno != EINTR) return ready;
  }
}

static int read_all(int fd, UCHAR *target, size_t length, int timeout_ms) {
  while (length > 0) {
    if (wait_readable(fd, timeout_ms) != 1) return -1;
    ssize_t got = read(fd, target, length);
    if (got <= 0) return -1;
    target += got;
    length -= (size_t)got;
  }
  return 0;
}

static int write_all(int fd, const UCHAR *bytes, size_t length) {
  while (length > 0) {
    ssize_t sent = send(fd, bytes, length, MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0) return -1;
    bytes += sent;
    length -= (size_t)sent;
  }
  return 0;
}

/* Sends one request and reads its reply; `room` is the size of `reply`, then the length of what came. */
static RESPONSECODE exchange(struct reader *reader, UCHAR op, const UCHAR *body, size_t length, UCHAR *reply,
                             DWORD *room) {
  UCHAR frame[MAX_FRAME];
  if (length > sizeof frame - 5) return IFD_COMMUNICATION_ERROR;
  uint32_t size = (uint32_t)length + 1;
  UCHAR head[5] = {(UCHAR)(size >> 24), (UCHAR)(size >> 16), (UCHAR)(size >> 8), (UCHAR)size, op};
  memcpy(frame, head, sizeof head);
  if (length > 0) memcpy(frame + sizeof head, body, length);
  if (write_all(reader->commands, frame, sizeof head + length) != 0) return IFD_COMMUNICATION_ERROR;
  if (read_all(reader->commands, head, sizeof head, COMMAND_MS) != 0) return IFD_COMMUNICATION_ERROR;
  size = ((uint32_t)head[0] << 24 | (uint32_t)head[1] << 16 | (uint32_t)head[2] << 8 | head[3]) - 1;
  if (size > *room || read_all(reader->commands, reply, size, COMMAND_MS) != 0) return IFD_COMMUNICATION_ERROR;
  *room = size;
  if (head[4] == REPLY_OK) return IFD_SUCCESS;
  return head[4] == REPLY_NO_CARD ? IFD_ICC_NOT_PRESENT : IFD_COMMUNICATION_ERROR;
}

/* Opens one connection and says what it is for. */
static int connect_as(const char *path, UCHAR purpose) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) return -1;
  strcpy(address.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0 || write_all(fd, &purpose, 1) != 0) {
    close(fd);
    return -1;
  }
  return fd;
}

/* Waits for the next coming or going; pcscd asks for the presence right afterwards. */
static RESPONSECODE wait_for_event(DWORD lun, int timeout_ms) {
  struct reader *reader = reader_of(lun);
  UCHAR present = 0;
  if (reader == NULL) return IFD_NO_SUCH_DEVICE;
  int ready = wait_readable(reader->events, timeout_ms);
  if (ready == 0) return IFD_SUCCESS;
  if (ready < 0 || read(reader->events, &present, 1) != 1) {
    reader->present = 0;
    return IFD_COMMUNICATION_ERROR;
  }
  reader->present = present;
  return IFD_SUCCESS;
}

RESPONSECODE IFDHCreateChannelByName(DWORD lun, LPSTR device) {
  DWORD index = lun >> 16;
  UCHAR present = 0;
  if (index >= MAX_READERS) return IFD_NO_SUCH_DEVICE;
  struct reader *reader = &readers[index];
  reader->commands = connect_as(device, 'C');
  reader->events = connect_as(device, 'E');
  if (reader->commands < 0 || reader->events < 0 || read_all(reader->events, &present, 1, HELLO_MS) != 0) {
    IFDHCloseChannel(lun);
    return IFD_NO_SUCH_DEVICE;
  }
  reader->present = present;
  return IFD_SUCCESS;
}

RESPONSECODE IFDHCreateChannel(DWORD lun, DWORD channel) {
  (void)lun;
  (void)channel;
  return IFD_NO_SUCH_DEVICE;
}

RESPONSECODE IFDHCloseChannel(DWORD lun) {
  DWORD index = lun >> 16;
  if (index >= MAX_READERS) return IFD_NO_SUCH_DEVICE;
  if (readers[index].commands >= 0) close(readers[index].commands);
  if (readers[index].events >= 0) close(readers[index].events);
  readers[index] = (struct reader){-1, -1, 0, {0}, 0};
  return IFD_SUCCESS;
}

static RESPONSECODE give(const void *what, DWORD size, PDWORD length, PUCHAR value) {
  if (*length < size) return IFD_ERROR_INSUFFICIENT_BUFFER;
  if (size > 0) memcpy(value, what, size);
  *length = size;
  return IFD_SUCCESS;
}

RESPONSECODE IFDHGetCapabilities(DWORD lun, DWORD tag, PDWORD length, PUCHAR value) {
  static const UCHAR one = 1, many = MAX_READERS;
  static RESPONSECODE (*const poller)(DWORD, int) = wait_for_event;
  struct reader *reader = reader_of(lun);
  switch (tag) {
    case TAG_IFD_ATR:
    case SCARD_ATTR_ATR_STRING:
      return reader == NULL ? IFD_NO_SUCH_DEVICE : give(reader->atr, reader->atr_length, length, value);
    case TAG_IFD_SIMULTANEOUS_ACCESS:
      return give(&many, 1, length, value);
    case TAG_IFD_THREAD_SAFE:
    case TAG_IFD_SLOTS_NUMBER:
    case TAG_IFD_POLLING_THREAD_KILLABLE:
      return give(&one, 1, length, value);
    case TAG_IFD_POLLING_THREAD_WITH_TIMEOUT:
      return give(&poller, sizeof poller, length, value);
    default:
      return IFD_ERROR_TAG;
  }
}

RESPONSECODE IFDHSetCapabilities(DWORD lun, DWORD tag, DWORD length, PUCHAR value) {
  (void)lun;
  (void)tag;
  (void)length;
  (void)value;
  return IFD_ERROR_TAG;
}

RESPONSECODE IFDHSetProtocolParameters(DWORD lun, DWORD protocol, UCHAR flags, UCHAR pts1, UCHAR pts2, UCHAR pts3) {
  (void)lun;
  (void)flags;
  (void)pts1;
  (void)pts2;
  (void)pts3;
  return protocol == SCARD_PROTOCOL_T1 ? IFD_SUCCESS : IFD_PROTOCOL_NOT_SUPPORTED;
}

RESPONSECODE IFDHPowerICC(DWORD lun, DWORD action, PUCHAR atr, PDWORD length) {
  struct reader *reader = reader_of(lun);
  *length = 0;
  if (reader == NULL) return IFD_NO_SUCH_DEVICE;
  reader->atr_length = 0;
  DWORD room = sizeof reader->atr;
  UCHAR op = action == IFD_POWER_DOWN ? OP_POWER_DOWN : OP_POWER_UP;
  if (exchange(reader, op, NULL, 0, reader->atr, &room) != IFD_SUCCESS) return IFD_ERROR_POWER_ACTION;
  reader->atr_length = room;
  if (op == OP_POWER_UP) {
    memcpy(atr, reader->atr, room);
    *length = room;
  }
  return IFD_SUCCESS;
}

RESPONSECODE IFDHTransmitToICC(DWORD lun, SCARD_IO_HEADER send_pci, PUCHAR command, DWORD command_length,
                               PUCHAR response, PDWORD response_length, PSCARD_IO_HEADER receive_pci) {
  struct reader *reader = reader_of(lun);
  DWORD room = *response_length;
  (void)send_pci;
  *response_length = 0;
  if (reader == NULL) return IFD_NO_SUCH_DEVICE;
  RESPONSECODE outcome = exchange(reader, OP_TRANSMIT, command, command_length, response, &room);
  if (outcome == IFD_SUCCESS) *response_length = room;
  if (receive_pci != NULL) receive_pci->Protocol = 1;
  return outcome;
}

RESPONSECODE IFDHControl(DWORD lun, DWORD code, PUCHAR command, DWORD command_length, PUCHAR response,
                         DWORD response_length, LPDWORD returned) {
  (void)lun;
  (void)code;
  (void)command;
  (void)command_length;
  (void)response;
  (void)response_length;
  *returned = 0;
  return IFD_NOT_SUPPORTED;
}

RESPONSECODE IFDHICCPresence(DWORD lun) {
  struct reader *reader = reader_of(lun);
  if (reader == NULL) return IFD_NO_SUCH_DEVICE;
  return reader->present ? IFD_ICC_PRESENT : IFD_ICC_NOT_PRESENT;
}
