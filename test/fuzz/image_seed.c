/* Built into small shared objects, one for each kind of hash table: what fuzz_image starts from. */
int an_object = 1;

void napi_call_threadsafe_function(void) {}

void napi_create_threadsafe_function(void) {}
