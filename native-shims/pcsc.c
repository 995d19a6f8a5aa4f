/*
 * Smart cards through PC/SC. The library is opened when it is first asked for: only the host of a token that is a card
 * ever loads it. A card is held from `pcscOpen` to `pcscClose`, in one transaction that no other program can enter.
 */
#include "shims.h"

#include <dlfcn.h>
#include <errno.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifdef __APPLE__
#define PCSC_LIBRARY "/System/Library/Frameworks/PCSC.framework/PCSC"
typedef int32_t pcsc_long;
typedef uint32_t pcsc_dword;
#else
#define PCSC_LIBRARY "libpcsclite.so.1"
typedef long pcsc_long;
typedef unsigned long pcsc_dword;
#endif

#define MAX_READERS 16
#define MAX_READERS_BYTES 4096
#define MAX_READER_BYTES 256
#define MAX_ATR_BYTES 33
#define MAX_WAIT_MS 60000
/* Header, length byte, 255 bytes, Le; an answer has 256 bytes and a status word. */
#define MAX_COMMAND_BYTES 261
#define MAX_ANSWER_BYTES 258

enum { SCOPE_USER = 0, SHARE_SHARED = 2, PROTOCOL_ANY = 3, LEAVE_CARD = 0, RESET_CARD = 1, STATE_PRESENT = 0x20 };
#define SCARD_S_SUCCESS 0
#define SCARD_E_NO_READERS ((pcsc_long)(int32_t)0x8010002e)
#define SCARD_E_SHARING_VIOLATION ((pcsc_long)(int32_t)0x8010000b)
#define SCARD_E_NO_READERS_UNSIGNED ((pcsc_long)0x8010002e)

/* Marks our handles, so that no other object of any addon passes for one. */
static const napi_type_tag CARD_TAG = {0x3c1f9e0a5d7246b8ULL, 0xa84c02e7b95d61f3ULL};

typedef pcsc_long pcsc_context;
typedef pcsc_long pcsc_card;

#ifdef __APPLE__
#pragma pack(push, 1)
#endif
typedef struct {
  const char *reader;
  void *user;
  pcsc_dword current;
  pcsc_dword event;
  pcsc_dword atr_length;
  unsigned char atr[MAX_ATR_BYTES];
} pcsc_reader_state;

typedef struct {
  pcsc_dword protocol;
  pcsc_dword length;
} pcsc_io_request;
#ifdef __APPLE__
#pragma pack(pop)
#endif

static struct {
  void *library;
  pcsc_long (*establish)(pcsc_dword, const void *, const void *, pcsc_context *);
  pcsc_long (*release)(pcsc_context);
  pcsc_long (*list)(pcsc_context, const char *, char *, pcsc_dword *);
  pcsc_long (*status)(pcsc_context, pcsc_dword, pcsc_reader_state *, pcsc_dword);
  pcsc_long (*connect)(pcsc_context, const char *, pcsc_dword, pcsc_dword, pcsc_card *, pcsc_dword *);
  pcsc_long (*disconnect)(pcsc_card, pcsc_dword);
  pcsc_long (*begin)(pcsc_card);
  pcsc_long (*end)(pcsc_card, pcsc_dword);
  pcsc_long (*transmit)(pcsc_card, const pcsc_io_request *, const uint8_t *, pcsc_dword, pcsc_io_request *,
                        uint8_t *, pcsc_dword *);
} pcsc;

typedef struct {
  bool open;
  pcsc_context context;
  pcsc_card card;
  pcsc_dword protocol;
} connection;

static napi_value throw_pcsc(shim_call *call, const char *what, pcsc_long number) {
  char code[16];
  snprintf(code, sizeof code, "0x%08x", (unsigned)(uint32_t)number);
  return shim_throw_code(call, code, what);
}

static bool find(const char *name, void *function) {
  void *symbol = dlsym(pcsc.library, name);
  memcpy(function, &symbol, sizeof symbol);
  return symbol != NULL;
}

/* False after throwing. */
static bool load(shim_call *call) {
  if (pcsc.library != NULL) return true;
  pcsc.library = dlopen(PCSC_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  if (pcsc.library == NULL) {
    shim_throw_code(call, "ELIBACC", "the PC/SC library cannot be loaded");
    return false;
  }
  if (find("SCardEstablishContext", &pcsc.establish) && find("SCardReleaseContext", &pcsc.release) &&
      find("SCardListReaders", &pcsc.list) && find("SCardGetStatusChange", &pcsc.status) &&
      find("SCardConnect", &pcsc.connect) && find("SCardDisconnect", &pcsc.disconnect) &&
      find("SCardBeginTransaction", &pcsc.begin) && find("SCardEndTransaction", &pcsc.end) &&
      find("SCardTransmit", &pcsc.transmit)) {
    return true;
  }
  dlclose(pcsc.library);
  pcsc.library = NULL;
  shim_throw_code(call, "ELIBBAD", "the PC/SC library lacks a function");
  return false;
}

static bool establish(shim_call *call, pcsc_context *context) {
  if (!load(call)) return false;
  pcsc_long failed = pcsc.establish(SCOPE_USER, NULL, NULL, context);
  if (failed == SCARD_S_SUCCESS) return true;
  throw_pcsc(call, "SCardEstablishContext", failed);
  return false;
}

/* { name, present, events }: `events` changes whenever a card comes or goes. */
static napi_value reader_object(shim_call *call, const pcsc_reader_state *state) {
  const shim_number_field fields[] = {{"events", (double)((state->event >> 16) & 0xffff)}};
  napi_value object = shim_number_object(call, fields, 1);
  napi_value name;
  napi_value present;
  if (object == NULL || napi_create_string_utf8(call->env, state->reader, NAPI_AUTO_LENGTH, &name) != napi_ok ||
      napi_set_named_property(call->env, object, "name", name) != napi_ok ||
      napi_get_boolean(call->env, (state->event & STATE_PRESENT) != 0, &present) != napi_ok ||
      napi_set_named_property(call->env, object, "present", present) != napi_ok) {
    return NULL;
  }
  return object;
}

static napi_value reader_list(shim_call *call, pcsc_context context) {
  char names[MAX_READERS_BYTES];
  pcsc_reader_state states[MAX_READERS];
  pcsc_dword length = sizeof names;
  pcsc_dword count = 0;
  napi_value list;
  if (napi_create_array(call->env, &list) != napi_ok) return NULL;
  pcsc_long failed = pcsc.list(context, NULL, names, &length);
  if (failed == SCARD_E_NO_READERS || failed == SCARD_E_NO_READERS_UNSIGNED) return list;
  if (failed != SCARD_S_SUCCESS) return throw_pcsc(call, "SCardListReaders", failed);
  memset(states, 0, sizeof states);
  for (char *name = names; name < names + length && *name != '\0' && count < MAX_READERS; name += strlen(name) + 1) {
    states[count++].reader = name;
  }
  if (count == 0) return list;
  failed = pcsc.status(context, 0, states, count);
  if (failed != SCARD_S_SUCCESS) return throw_pcsc(call, "SCardGetStatusChange", failed);
  for (pcsc_dword i = 0; i < count; i++) {
    napi_value reader = reader_object(call, &states[i]);
    if (reader == NULL || napi_set_element(call->env, list, (uint32_t)i, reader) != napi_ok) return NULL;
  }
  return list;
}

napi_value shim_pcsc_readers(napi_env env, napi_callback_info info) {
  shim_call call;
  pcsc_context context;
  if (!shim_begin(&call, env, info, "pcscReaders") || !establish(&call, &context)) return NULL;
  napi_value list = reader_list(&call, context);
  pcsc.release(context);
  return list;
}

static void close_connection(connection *held, pcsc_dword disposition) {
  if (!held->open) return;
  held->open = false;
  pcsc.end(held->card, disposition);
  pcsc.disconnect(held->card, disposition);
  pcsc.release(held->context);
}

static void on_collected(napi_env env, void *data, void *hint) {
  (void)env;
  (void)hint;
  close_connection(data, LEAVE_CARD);
  free(data);
}

/*
 * Connecting and beginning wait for the transactions of other programs without a limit, and nothing can interrupt them: a thread of
 * its own waits, and gives the card back by itself when it comes too late.
 */
typedef struct {
  pthread_mutex_t lock;
  pthread_cond_t ended;
  bool done;
  bool abandoned;
  char reader[MAX_READER_BYTES];
  connection held;
  const char *what;
  pcsc_long failed;
} opening;

static void free_opening(opening *work) {
  pthread_cond_destroy(&work->ended);
  pthread_mutex_destroy(&work->lock);
  free(work);
}

static void connect_card(opening *work) {
  connection *held = &work->held;
  work->what = "SCardConnect";
  work->failed =
      pcsc.connect(held->context, work->reader, SHARE_SHARED, PROTOCOL_ANY, &held->card, &held->protocol);
  if (work->failed == SCARD_S_SUCCESS) {
    work->what = "SCardBeginTransaction";
    work->failed = pcsc.begin(held->card);
    if (work->failed != SCARD_S_SUCCESS) pcsc.disconnect(held->card, LEAVE_CARD);
  }
  if (work->failed != SCARD_S_SUCCESS) pcsc.release(held->context);
  held->open = work->failed == SCARD_S_SUCCESS;
}

static void *open_in_thread(void *data) {
  opening *work = data;
  connect_card(work);
  pthread_mutex_lock(&work->lock);
  bool late = work->abandoned;
  work->done = true;
  pthread_cond_signal(&work->ended);
  pthread_mutex_unlock(&work->lock);
  if (late) {
    close_connection(&work->held, LEAVE_CARD);
    free_opening(work);
  }
  return NULL;
}

/* The clock of a condition variable, milliseconds from now. */
static struct timespec deadline_in(uint32_t milliseconds) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += milliseconds / 1000;
  until.tv_nsec += (long)(milliseconds % 1000) * 1000000L;
  if (until.tv_nsec >= 1000000000L) {
    until.tv_sec += 1;
    until.tv_nsec -= 1000000000L;
  }
  return until;
}

/* False when the thread goes on alone: `work` is its own then. */
static bool wait_for(opening *work, uint32_t milliseconds) {
  const struct timespec until = deadline_in(milliseconds);
  int waited = 0;
  pthread_mutex_lock(&work->lock);
  while (!work->done && waited != ETIMEDOUT) waited = pthread_cond_timedwait(&work->ended, &work->lock, &until);
  bool done = work->done;
  work->abandoned = !done;
  pthread_mutex_unlock(&work->lock);
  return done;
}

/* The card in one transaction, or NULL after throwing; takes over `context`. */
static connection *open_card(shim_call *call, const char *reader, uint32_t milliseconds, pcsc_context context) {
  pthread_t thread;
  opening *work = calloc(1, sizeof *work);
  connection *held = calloc(1, sizeof *held);
  if (work == NULL || held == NULL) {
    free(work);
    free(held);
    pcsc.release(context);
    shim_throw_code(call, "ENOMEM", "out of memory");
    return NULL;
  }
  pthread_mutex_init(&work->lock, NULL);
  pthread_cond_init(&work->ended, NULL);
  memcpy(work->reader, reader, sizeof work->reader);
  work->held.context = context;
  if (pthread_create(&thread, NULL, open_in_thread, work) != 0) {
    free_opening(work);
    free(held);
    pcsc.release(context);
    shim_throw_code(call, "EAGAIN", "no thread could be started");
    return NULL;
  }
  pthread_detach(thread);
  if (!wait_for(work, milliseconds)) {
    free(held);
    throw_pcsc(call, "another program holds the card", SCARD_E_SHARING_VIOLATION);
    return NULL;
  }
  *held = work->held;
  const char *what = work->what;
  pcsc_long failed = work->failed;
  free_opening(work);
  if (failed == SCARD_S_SUCCESS) return held;
  free(held);
  throw_pcsc(call, what, failed);
  return NULL;
}

napi_value shim_pcsc_open(napi_env env, napi_callback_info info) {
  shim_call call;
  char reader[MAX_READER_BYTES];
  int64_t milliseconds;
  pcsc_context context;
  napi_value handle;
  if (!shim_begin(&call, env, info, "pcscOpen") || !shim_take_string(&call, 0, "reader", reader, sizeof reader) ||
      !shim_take_integer(&call, 1, "waitMs", 0, MAX_WAIT_MS, &milliseconds) || !establish(&call, &context)) {
    return NULL;
  }
  connection *held = open_card(&call, reader, (uint32_t)milliseconds, context);
  if (held == NULL) return NULL;
  if (napi_create_object(env, &handle) == napi_ok && napi_type_tag_object(env, handle, &CARD_TAG) == napi_ok &&
      napi_wrap(env, handle, held, on_collected, NULL, NULL) == napi_ok) {
    return handle;
  }
  close_connection(held, LEAVE_CARD);
  free(held);
  return NULL;
}

static connection *take_connection(shim_call *call) {
  bool ours = false;
  bool pending = false;
  void *found = NULL;
  napi_value ignored;
  if (napi_check_object_type_tag(call->env, call->argument[0], &CARD_TAG, &ours) == napi_ok && ours &&
      napi_unwrap(call->env, call->argument[0], &found) == napi_ok) {
    return found;
  }
  napi_is_exception_pending(call->env, &pending);
  if (pending) napi_get_and_clear_last_exception(call->env, &ignored);
  shim_throw_type(call, "card", "what pcscOpen returned");
  return NULL;
}

napi_value shim_pcsc_transmit(napi_env env, napi_callback_info info) {
  shim_call call;
  shim_bytes command;
  uint8_t answer[MAX_ANSWER_BYTES];
  napi_value result;
  connection *held;
  if (!shim_begin(&call, env, info, "pcscTransmit") ||
      !shim_take_bytes_within(&call, 1, "command", 4, MAX_COMMAND_BYTES, &command) ||
      (held = take_connection(&call)) == NULL) {
    return NULL;
  }
  if (!held->open) return shim_throw_code(&call, "EBADF", "the card was closed");
  const pcsc_io_request request = {held->protocol, sizeof request};
  pcsc_dword length = sizeof answer;
  pcsc_long failed = pcsc.transmit(held->card, &request, command.data, command.length, NULL, answer, &length);
  if (failed != SCARD_S_SUCCESS) return throw_pcsc(&call, "SCardTransmit", failed);
  napi_status copied = napi_create_buffer_copy(env, length, answer, NULL, &result);
  /* It may hold a secret. */
  OPENSSL_cleanse(answer, sizeof answer);
  return copied == napi_ok ? result : NULL;
}

napi_value shim_pcsc_close(napi_env env, napi_callback_info info) {
  shim_call call;
  connection *held;
  bool reset;
  if (!shim_begin(&call, env, info, "pcscClose")) return NULL;
  if (napi_get_value_bool(env, call.argument[1], &reset) != napi_ok) {
    return shim_throw_type(&call, "reset", "true or false");
  }
  if ((held = take_connection(&call)) == NULL) return NULL;
  close_connection(held, reset ? RESET_CARD : LEAVE_CARD);
  return NULL;
}
