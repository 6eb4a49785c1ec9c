/* Built into small shared objects, one for each kind of hash table. fuzz_image starts from
 * these. */
int an_object = 1;

void napi_call_threadsafe_function(void) {}

void napi_create_threadsafe_function(void) {}
