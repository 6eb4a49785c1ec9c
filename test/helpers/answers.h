/* When one of the seven functions is called, the status shows who answered. */
#ifndef TEST_ANSWERS_H
#define TEST_ANSWERS_H

enum {
  /* napi_invalid_arg: the guard's answer to a value that was never a handle, and to a NULL env */
  GUARD_ANSWERS = 1,
  FAKE_NODE_ANSWERS = 77,
  INTRUDER_ANSWERS = 88,
};

#endif
