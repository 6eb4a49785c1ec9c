/* Who answered a call of one of the seven: told by the status. */
#ifndef TEST_ANSWERS_H
#define TEST_ANSWERS_H

enum {
  GUARD_ANSWERS =
      1, /* napi_invalid_arg: the guard's answer to a handle that never was one, and to a NULL env */
  FAKE_NODE_ANSWERS = 77,
  INTRUDER_ANSWERS = 88,
};

#endif
