/** What every row's script begins with. */

/**
 * docker: Debian's, whatever else is on the PATH. run, up: a container of this row's runtime, in the foreground or not. tty: with a
 * terminal. eventually: a condition that comes true. said: what a command says once it says anything, for Docker's proxy accepts a
 * connection whether or not anybody listens behind it. Whatever is called $N… is removed at the end.
 */
export const prelude = `
exec </dev/null
nc() { /bin/busybox nc "$@"; }
ping() { /bin/busybox ping "$@"; }
docker() { /usr/bin/docker "$@"; }
run() { docker run --rm --runtime $RT "$@"; }
up() { docker run -d --runtime $RT "$@" >/dev/null; }
tty() { script -qec "$*" /dev/null; }
eventually() {
  for _ in $(seq 200); do
    if "$@" >/dev/null 2>&1; then return 0; fi
    sleep 0.1
  done
  echo "not within 20 s: $*"
  return 1
}
said() {
  for _ in $(seq 200); do
    answer=$("$@" 2>/dev/null)
    if [ -n "$answer" ]; then echo "$answer"; return 0; fi
    sleep 0.1
  done
  echo "no answer within 20 s: $*"
  return 1
}
status() { docker inspect -f '{{.State.Status}}' $1; }
is() { [ "$(status $1)" = "$2" ]; }
`;

/** Removes what a row's script has left. */
export const cleanUp = `
exec >/dev/null 2>&1
/usr/bin/docker ps -aq --filter name=$N | xargs -r /usr/bin/docker rm -f
/usr/bin/docker network ls -q --filter name=$N | xargs -r /usr/bin/docker network rm
/usr/bin/docker volume ls -q --filter name=$N | xargs -r /usr/bin/docker volume rm
/usr/bin/docker images -q $N | xargs -r /usr/bin/docker rmi -f
`;
