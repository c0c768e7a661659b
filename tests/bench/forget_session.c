/* Loaded into wrk (LD_PRELOAD) for the rows that count new connections.
 *
 * wrk keeps one SSL object per connection slot and clears it between two
 * connections; OpenSSL then still holds the last session and resumes it, so
 * that nearly every "new" connection would be an abbreviated handshake.
 * Forgetting the session makes each one a full handshake, whatever the server
 * hands out. Declared by hand: no OpenSSL headers are needed to build this.
 */
#define _GNU_SOURCE
#include <dlfcn.h>

int SSL_set_session(void *ssl, void *session);

int SSL_clear(void *ssl) {
    int (*clear)(void *) = (int (*)(void *))dlsym(RTLD_NEXT, "SSL_clear");
    int cleared = clear(ssl);
    SSL_set_session(ssl, 0);
    return cleared;
}
