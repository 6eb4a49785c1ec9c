/* This is built into small shared objects, one for each kind of hash table. They are the seeds of
 * fuzz_image. */
int an_object = 1;

void napi_call_threadsafe_function(void) {}

void napi_create_threadsafe_function(void) {}
