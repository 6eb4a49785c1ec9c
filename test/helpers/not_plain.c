/* Defines napi_ref_threadsafe_function not as a plain function, but as an object or, with IFUNC, as
 * an indirect function. It is linked with a variant of fake_node.c that lacks this function. */
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
