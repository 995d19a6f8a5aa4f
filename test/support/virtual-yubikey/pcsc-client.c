/*
 * A PC/SC program for the suite: connects to a reader and takes one order a line. `x HEX` transmits an APDU, `r` resets the
 * card, `b` and `e` begin and end a transaction, `n HEX COUNT` transmits COUNT times. It answers one line each: the
 * PC/SC return code, the response in hex (or -), and the microseconds (of `n`: the median).
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <winscard.h>

enum { MAX_APDU = 65600, MAX_COUNT = 100000, MAX_TRIES = 400, PAUSE_US = 5000 };

static SCARDCONTEXT context;
static SCARDHANDLE card;
static BYTE command[MAX_APDU], response[MAX_APDU];
static DWORD command_length, response_length;

static double now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void parse(const char *hex) {
  unsigned byte;
  command_length = 0;
  while (command_length < MAX_APDU && sscanf(hex + 2 * command_length, "%2x", &byte) == 1)
    command[command_length++] = (BYTE)byte;
}

static LONG transmit(void) {
  response_length = sizeof response;
  LONG rv = SCardTransmit(card, SCARD_PCI_T1, command, command_length, NULL, response, &response_length);
  if (rv != SCARD_S_SUCCESS) response_length = 0;
  return rv;
}

static int by_size(const void *left, const void *right) {
  double a = *(const double *)left, b = *(const double *)right;
  return (a > b) - (a < b);
}

static LONG transmit_many(int count, double *median) {
  static double times[MAX_COUNT];
  LONG rv = SCARD_S_SUCCESS;
  for (int i = 0; i < count && rv == SCARD_S_SUCCESS; i++) {
    double begin = now_us();
    rv = transmit();
    times[i] = now_us() - begin;
  }
  qsort(times, (size_t)count, sizeof *times, by_size);
  *median = times[count / 2];
  return rv;
}

static LONG obey(char *line, double *spent) {
  char *hex = line + 2, *count = strchr(hex, ' ');
  DWORD protocol;
  double begin = now_us();
  LONG rv = SCARD_F_INTERNAL_ERROR;
  response_length = 0;
  if (line[0] == 'x') {
    parse(hex);
    rv = transmit();
  } else if (line[0] == 'n' && count != NULL && atoi(count) > 0 && atoi(count) <= MAX_COUNT) {
    *count = '\0';
    parse(hex);
    return transmit_many(atoi(count + 1), spent);
  } else if (line[0] == 'r') {
    rv = SCardReconnect(card, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T1, SCARD_RESET_CARD, &protocol);
  } else if (line[0] == 'b') {
    rv = SCardBeginTransaction(card);
  } else if (line[0] == 'e') {
    rv = SCardEndTransaction(card, SCARD_LEAVE_CARD);
  }
  *spent = now_us() - begin;
  return rv;
}

int main(int argc, char **argv) {
  static char line[2 * MAX_APDU + 32], names[4096];
  DWORD size = sizeof names, protocol;
  int skip = argc > 1 ? atoi(argv[1]) : 0;
  DWORD mode = argc > 2 && strcmp(argv[2], "exclusive") == 0 ? SCARD_SHARE_EXCLUSIVE : SCARD_SHARE_SHARED;
  LONG rv = SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context);
  if (rv == SCARD_S_SUCCESS) rv = SCardListReaders(context, NULL, names, &size);
  char *name = names;
  while (rv == SCARD_S_SUCCESS && skip-- > 0 && *name != '\0') name += strlen(name) + 1;
  for (int tries = 0; rv == SCARD_S_SUCCESS; tries++) {
    LONG outcome = SCardConnect(context, name, mode, SCARD_PROTOCOL_T1, &card, &protocol);
    if (outcome == SCARD_S_SUCCESS) break;
    /* A card that was just put in takes pcscd a moment. */
    if (outcome != SCARD_E_NO_SMARTCARD || tries == MAX_TRIES) rv = outcome;
    usleep(PAUSE_US);
  }
  printf("%lx - 0\n", (unsigned long)rv);
  fflush(stdout);
  while (rv == SCARD_S_SUCCESS && fgets(line, sizeof line, stdin) != NULL) {
    double spent = 0;
    line[strcspn(line, "\n")] = '\0';
    LONG outcome = obey(line, &spent);
    printf("%lx ", (unsigned long)outcome);
    for (DWORD i = 0; i < response_length; i++) printf("%02x", response[i]);
    printf("%s %.0f\n", response_length == 0 ? "-" : "", spent);
    fflush(stdout);
  }
  SCardReleaseContext(context);
  return rv == SCARD_S_SUCCESS ? 0 : 1;
}
