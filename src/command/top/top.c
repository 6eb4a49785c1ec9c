/* tsfn-guard top: shows what a guarded process does, and updates this at an interval.
 *
 * It uses termios and plain escape sequences that every terminal since the VT100 knows. It does not
 * use ncurses: the command is linked statically, and ncurses needs its terminal database on each
 * machine to which the command is copied. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/output.h"
#include "base/text.h"
#include "command/common/arguments.h"
#include "command/common/colour.h"
#include "command/common/complain.h"
#include "command/subcommands.h"
#include "command/top/top_print.h"
#include "command/top/watch.h"

enum { PLAIN_ROWS = 50, HEAD_ROWS = 10, FIRST_MS = 250 };

struct choices {
  struct tg_arguments arguments;
  bool once;
  bool json;
  double seconds;
  const char *process;
};

static const char usage[] =
    "usage: tsfn-guard top [--once] [--json] [--interval SECONDS] PID\n"
    "\n"
    "Shows the thread-safe functions of a running process that was started with\n"
    "TSFN_GUARD_OPTIONS=publish=1, or by tsfn-guard with that option.\n"
    "\n"
    "  --once              print one sample, taken over one interval, instead of a\n"
    "                      live view\n"
    "  --interval SECONDS  0.1 to 3600; the default is 1\n"
    "\n"
    "Keys of the live view: q quits, s changes the sort order, p pauses, h shows\n"
    "help.\n"
    "Exit status: 0, also when the process has ended; 1 if it cannot be watched; 2 if\n"
    "the command line is wrong.\n";

/* --- The command line */

static int read_interval(struct choices *choices, const char *text) {
  char *end;
  choices->seconds = strtod(text, &end);
  if (end != text && *end == '\0' && choices->seconds >= 0.1 && choices->seconds <= 3600) return 0;
  return tg_complain(TG_EXIT_USAGE, "--interval with 0.1 to 3600 seconds", text, "correct it");
}

enum { ONCE = TG_OWN_OPTION, INTERVAL };

static int take_own_option(void *argument, int option, const char *value) {
  struct choices *choices = argument;
  if (option == ONCE) choices->once = true;
  return option == INTERVAL && read_interval(choices, value) != 0 ? TG_EXIT_USAGE : TG_GO_ON;
}

/* Returns TG_GO_ON, or the exit status. */
static int read_choices(int argc, char **argv, struct choices *choices) {
  static const struct option own[] = {
      {"once", no_argument, NULL, ONCE}, {"interval", required_argument, NULL, INTERVAL}, {0}};
  *choices = (struct choices){.seconds = 1};
  choices->arguments = (struct tg_arguments){
      .usage = usage, .has_json = true, .own = own, .take = take_own_option, .choices = choices};
  int status = tg_arguments_read(argc, argv, &choices->arguments);
  if (status != TG_GO_ON) return status;
  if (optind + 1 != argc)
    return tg_complain(TG_EXIT_USAGE, "the id of one process",
                       optind == argc ? "none" : "more than one argument",
                       "run it as: tsfn-guard top PID");
  choices->process = argv[optind];
  choices->json = choices->arguments.json;
  return TG_GO_ON;
}

/* --- Time */

static double now(void) {
  return (double)tg_nanoseconds(CLOCK_MONOTONIC) / 1e9;
}

static void sleep_until(double end) {
  for (double left; (left = end - now()) > 0;) {
    const struct timespec time = {(time_t)left, (long)((left - (double)(time_t)left) * 1e9)};
    nanosleep(&time, NULL);
  }
}

static int complain_of_memory(void) {
  return tg_complain(TG_EXIT_FAILED, "memory for a sample", "none", "free some memory");
}

static int complain_of_output(void) {
  return tg_complain(TG_EXIT_FAILED, "to write the sample", strerror(errno),
                     "check where the output goes");
}

/* --- A stream of samples */

static void print_ended(FILE *to, const struct tg_watch *watch) {
  fprintf(to, "process %d has ended\n", (int)watch->process);
}

static void print_plain(FILE *to, const struct tg_watch *watch) {
  const struct tg_top_look look = {
      .columns = SIZE_MAX, .rows = PLAIN_ROWS, .colour = false, .line_end = "\n", .note = ""};
  tg_top_print(to, watch, &look);
}

static int stream(struct tg_watch *watch, const struct choices *choices) {
  bool is_there = true;
  if (!tg_watch_take(watch)) return complain_of_memory();
  for (double next = now() + choices->seconds; is_there; next += choices->seconds) {
    /* The next sample is overdue, because this command was stopped meanwhile. Missed samples are
     * not made up for. */
    if (next < now()) next = now() + choices->seconds;
    sleep_until(next);
    is_there = tg_watch_is_there(watch);
    if (!tg_watch_take(watch)) return complain_of_memory();
    tg_top_sort(&watch->sample, TG_TOP_CALLS);
    if (choices->json)
      tg_top_print_json(stdout, watch, !is_there);
    else
      print_plain(stdout, watch);
    if (!choices->json && !is_there) print_ended(stdout, watch);
    if (!choices->json && is_there && !choices->once) fputc('\n', stdout);
    if (fflush(stdout) != 0) return complain_of_output();
    if (choices->once) break;
  }
  return 0;
}

/* --- The live view */

struct screen {
  struct termios before; /* the terminal's settings, which are restored at the end */
  bool has_keys;         /* stdin is a terminal */
  int signals;
  sigset_t blocked_before;
  enum tg_top_order order;
  bool paused;
  bool help;
  bool over;
  int died; /* the signal that ends this command; 0: none */
};

static bool write_screen(const char *bytes, size_t length) {
  return tg_write_all(STDOUT_FILENO, bytes, length) == length;
}

/* Switches to the alternate screen, without a cursor and without wrapping at the right edge. */
static void enter(struct screen *screen) {
  static const char sequence[] = "\033[?1049h\033[?25l\033[?7l";
  struct termios raw = screen->before;
  raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
  raw.c_cc[VMIN] = 1;
  raw.c_cc[VTIME] = 0;
  if (screen->has_keys) tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
  write_screen(sequence, sizeof sequence - 1);
}

static void leave(const struct screen *screen) {
  static const char sequence[] = "\033[?7h\033[?25h\033[?1049l";
  write_screen(sequence, sizeof sequence - 1);
  if (screen->has_keys) tcsetattr(STDIN_FILENO, TCSADRAIN, &screen->before);
}

static bool open_screen(struct screen *screen) {
  sigset_t wanted;
  sigemptyset(&wanted);
  const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH, SIGTSTP, SIGCONT};
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) sigaddset(&wanted, numbers[i]);
  *screen = (struct screen){.has_keys = false};
  screen->has_keys = tcgetattr(STDIN_FILENO, &screen->before) == 0;
  sigprocmask(SIG_BLOCK, &wanted, &screen->blocked_before);
  screen->signals = signalfd(-1, &wanted, SFD_CLOEXEC);
  if (screen->signals < 0) return false;
  enter(screen);
  return true;
}

static void print_help(FILE *to, const struct screen *screen) {
  fprintf(to,
          "  q  quit\033[K\r\n  s  change the sort order (now %s; calls/s, queue, threads, "
          "age)\033[K\r\n"
          "  p  pause or continue\033[K\r\n  h  this help\033[K\r\n\033[K\r\n",
          tg_top_order_names[screen->order]);
}

static bool draw(const struct screen *screen, const struct tg_watch *watch) {
  struct winsize size = {0};
  char note[64], *bytes = NULL;
  size_t length = 0;
  ioctl(STDOUT_FILENO, TIOCGWINSZ, &size);
  size_t rows = size.ws_row == 0 ? 24 : size.ws_row;
  FILE *to = open_memstream(&bytes, &length);
  if (to == NULL) return false;
  snprintf(note, sizeof note, "%s; by %s, h: help", screen->paused ? ", PAUSED" : "",
           tg_top_order_names[screen->order]);
  const struct tg_top_look look = {.columns = size.ws_col == 0 ? 80 : size.ws_col,
                                   .rows = rows > HEAD_ROWS ? rows - HEAD_ROWS : 0,
                                   .colour = tg_has_colour(stdout),
                                   .line_end = "\033[K\r\n",
                                   .note = note};
  fputs("\033[H", to);
  if (screen->help) print_help(to, screen);
  tg_top_print(to, watch, &look);
  fputs("\033[J", to);
  bool written = fclose(to) == 0;
  /* A line end after the last line that fits would scroll the first line away. */
  size_t lines = 0, end = 0;
  while (end < length && (bytes[end] != '\n' || ++lines < rows)) end++;
  if (end < length) end -= end > 0 && bytes[end - 1] == '\r';
  written = written && write_screen(bytes, end) && write_screen("\033[J", strlen("\033[J"));
  free(bytes);
  return written;
}

/* Restores the terminal, and then stops this process. */
static void stop(const struct screen *screen) {
  leave(screen);
  raise(SIGSTOP);
}

static void handle_signal(struct screen *screen) {
  struct signalfd_siginfo signal;
  if (read(screen->signals, &signal, sizeof signal) != sizeof signal) return;
  switch (signal.ssi_signo) {
    case SIGWINCH:
      return;
    case SIGTSTP:
      stop(screen);
      return;
    case SIGCONT:
      enter(screen);
      return;
    default:
      screen->died = (int)signal.ssi_signo;
      screen->over = true;
  }
}

static void handle_keys(struct screen *screen) {
  char keys[64];
  ssize_t count = read(STDIN_FILENO, keys, sizeof keys);
  /* stdin does not block, and another reader has taken the key */
  if (count < 0 && errno == EAGAIN) return;
  if (count <= 0) screen->has_keys = false;   /* the terminal is gone; a signal will follow */
  if (count > 0 && keys[0] == '\033') return; /* an arrow key or similar */
  for (ssize_t i = 0; i < count; i++) {
    if (keys[i] == 'q') screen->over = true;
    if (keys[i] == 's') screen->order = (screen->order + 1) % TG_TOP_ORDERS;
    if (keys[i] == 'p') screen->paused = !screen->paused;
    if (keys[i] == 'h' || keys[i] == '?') screen->help = !screen->help;
  }
}

/* Waits until `next`, or for a key or a signal, which it handles. True: the next sample is due. */
static bool wait_for(struct screen *screen, double next) {
  struct pollfd wanted[] = {{.fd = screen->signals, .events = POLLIN},
                            {.fd = screen->has_keys ? STDIN_FILENO : -1, .events = POLLIN}};
  double left = next - now();
  int ready = poll(wanted, 2, left <= 0 ? 0 : (int)(left * 1000) + 1);
  if (ready <= 0) return ready == 0;
  if (wanted[0].revents != 0) handle_signal(screen);
  if (wanted[1].revents != 0) handle_keys(screen);
  return false;
}

/* Ends this process by the signal that it received, as if the signal had not been caught. */
static void die(const struct screen *screen) {
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, screen->died);
  signal(screen->died, SIG_DFL);
  raise(screen->died);
  sigprocmask(SIG_UNBLOCK, &one, NULL);
}

static int live(struct tg_watch *watch, const struct choices *choices) {
  struct screen screen;
  bool is_there = true, has_memory = tg_watch_take(watch), written = true;
  const double first = FIRST_MS / 1000.0; /* a shorter interval, so that rates appear soon */
  double next = now() + (choices->seconds < first ? choices->seconds : first);
  if (!has_memory) return complain_of_memory();
  if (!open_screen(&screen))
    return tg_complain(TG_EXIT_FAILED, "a signalfd", strerror(errno), "use --once");
  while (is_there && has_memory && written && !screen.over) {
    tg_top_sort(&watch->sample, screen.order);
    written = draw(&screen, watch);
    if (!wait_for(&screen, next)) continue;
    next = now() + choices->seconds;
    is_there = tg_watch_is_there(watch);
    if (!screen.paused || !is_there) has_memory = tg_watch_take(watch);
  }
  leave(&screen);
  if (screen.died != 0) die(&screen);
  if (!has_memory) return complain_of_memory();
  if (is_there) return 0;
  print_plain(stdout, watch);
  print_ended(stdout, watch);
  return 0;
}

static bool has_screen(void) {
  const char *terminal = getenv("TERM");
  return isatty(STDOUT_FILENO) == 1 && terminal != NULL && terminal[0] != '\0' &&
         strcmp(terminal, "dumb") != 0;
}

int tg_command_top(int argc, char **argv) {
  struct choices choices;
  struct tg_watch watch;
  int status = read_choices(argc, argv, &choices);
  if (status != TG_GO_ON) return status;
  status = tg_watch_open(&watch, choices.process);
  if (status != 0) return status;
  status = tg_arguments_open_output(&choices.arguments);
  if (status != TG_GO_ON) return status;
  return choices.once || choices.json || !has_screen() ? stream(&watch, &choices)
                                                       : live(&watch, &choices);
}
