/* A library for LD_PRELOAD. It defines one of the seven functions, as a naive guard would. */
#include "answers.h"

int napi_call_threadsafe_function(void);
int napi_call_threadsafe_function(void) {
  return INTRUDER_ANSWERS;
}
