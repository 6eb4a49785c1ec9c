# A server whose every request loads @parcel/watcher 2.6.0 and lmdb 3.5.6 in a worker of its own. The watcher's thread outlives
# each worker, so the addon must stay mapped; and it registers itself from a constructor, which then runs once only.
#
# Seen to fail, natively too: "Module did not self-register" in 29 of 30 requests.

load real
setup() { needs @parcel/watcher && needs lmdb; }

@test "serve: each of 30 requests is answered" {
  lives worker-server.js serve <<<'served 30 of 30'
}
