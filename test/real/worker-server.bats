# A server that loads @parcel/watcher 2.6.0 and lmdb 3.5.6 in a new worker for every request. The
# watcher's thread outlives each worker, so the addon must stay mapped. It registers itself from a
# constructor, which then runs only once.
#
# Seen to fail, also without the guard: "Module did not self-register" in 29 of 30 requests.

load real
setup() { needs @parcel/watcher && needs lmdb; }

@test "serve: each of 30 requests is answered" {
  lives worker-server.js serve <<<'served 30 of 30'
}
