/* Defines napi_ref_threadsafe_function as something other than a plain function: an object, or,
 * with IFUNC, an indirect function. It is used with the variants of fake_node.c that lack this
 * function. */
#ifdef IFUNC
typedef int function(void);

static int chosen(void) {
  return 0;
}

__attribute__((used)) static function *choose(void) {
  return chosen;
}

int napi_ref_threadsafe_function(void) __attribute__((ifunc("choose")));
#else
int napi_ref_threadsafe_function = 1;
#endif
