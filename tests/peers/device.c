/*
 * An ESP32's TLS transport, and nothing more: sends the raw HTTP request on stdin over TLS, and
 * writes the raw reply to stdout. ESP-IDF's own TLS is mbedTLS (2.28 in 4.4, 3.6 in 5.x), so this
 * is compiled against both, and set up as ESP-IDF sets it up.
 */
#define _GNU_SOURCE
#include <netdb.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <mbedtls/version.h>

#include <mbedtls/ctr_drbg.h>
#include <mbedtls/debug.h>
#include <mbedtls/entropy.h>
#include <mbedtls/error.h>
#include <mbedtls/net_sockets.h>
#include <mbedtls/ssl.h>
#include <mbedtls/ssl_ciphersuites.h>
#include <mbedtls/x509_crt.h>
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
#include <psa/crypto.h>
#endif

#define TIMEOUT_S 30 /* the firmware's own, between any two reads */

enum { DONE = 0, USAGE = 1, NO_CONNECTION = 2, NO_HANDSHAKE = 3, NO_REPLY = 4 };

static char curve[32] = "none";

static void fail(int status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    fprintf(stderr, "device: ");
    vfprintf(stderr, format, args);
    fprintf(stderr, "\n");
    va_end(args);
    exit(status);
}

static void usage(void) {
    fail(USAGE,
         "usage: device --connect HOST:PORT [--server-name NAME | --no-server-name]\n"
         "              (--ca FILE | --no-verify) [--auth ecdsa|rsa|any] [--tls12 | --tls13]\n"
         "        (--auth is for TLS 1.2, --tls13 needs mbedTLS 3.6)");
}

/* Checks what an mbedTLS call gave back; positive numbers are no errors. */
static void check(int status, const char *what, int ret) {
    char text[256];
    if (ret < 0) {
        mbedtls_strerror(ret, text, sizeof text);
        fail(status, "%s: -0x%04x %s", what, (unsigned) -ret, text);
    }
}

/* mbedTLS tells the negotiated group to nobody but its debug log: TLS 1.2's with the first words
 * here, TLS 1.3's with the second. */
static void on_debug(void *ctx, int level, const char *file, int line, const char *message) {
    (void) ctx, (void) level, (void) file, (void) line;
    const char *found = strstr(message, "ECDH curve: ");
    if (found != NULL || (found = strstr(message, "DHE group name: ")) != NULL) {
        sscanf(strchr(found, ':'), ": %31s", curve);
    }
}

/* ESP-IDF compiles date checks out (MBEDTLS_HAVE_TIME_DATE): the clock may still say 1970. */
static int forgive_dates(void *ctx, mbedtls_x509_crt *crt, int depth, uint32_t *flags) {
    (void) ctx, (void) crt, (void) depth;
    *flags &= ~(uint32_t) (MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE);
    return 0;
}

/* The ciphersuites of the library that a device has too and that fit this kind of certificate. */
static const int *ciphersuites(const char *auth) {
    static int chosen[512];
    size_t count = 0;
    for (const int *id = mbedtls_ssl_list_ciphersuites(); *id != 0 && count < 511; id++) {
        const char *name = mbedtls_ssl_get_ciphersuite_name(*id);
        /* Off by default in ESP-IDF, but first in the library's own order. */
        if (strstr(name, "CHACHA20") != NULL) {
            continue;
        }
        if (strcmp(auth, "any") == 0 ||
            (strcmp(auth, "ecdsa") == 0 && strncmp(name, "TLS-ECDHE-ECDSA-", 16) == 0) ||
            (strcmp(auth, "rsa") == 0 && strncmp(name, "TLS-ECDHE-RSA-", 14) == 0)) {
            chosen[count++] = *id;
        }
    }
    return chosen;
}

static char *read_stdin(size_t *len) {
    size_t size = 65536, n;
    char *data = malloc(size);
    *len = 0;
    while (data != NULL && (n = fread(data + *len, 1, size - *len, stdin)) > 0) {
        *len += n;
        if (*len == size) {
            data = realloc(data, size *= 2);
        }
    }
    if (data == NULL || ferror(stdin)) {
        fail(USAGE, "cannot read the request from stdin");
    }
    return data;
}

/* mbedtls_net_connect has no timeout; the socket's own covers connecting and sending. */
static int tcp_connect(const char *host, const char *port) {
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    const struct timeval timeout = {.tv_sec = TIMEOUT_S};
    struct addrinfo *found;
    int ret = getaddrinfo(host, port, &hints, &found);
    if (ret != 0) {
        fail(NO_CONNECTION, "%s: %s", host, gai_strerror(ret));
    }
    for (struct addrinfo *a = found; a != NULL; a = a->ai_next) {
        int fd = socket(a->ai_family, a->ai_socktype, a->ai_protocol);
        if (fd < 0) {
            continue;
        }
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
        if (connect(fd, a->ai_addr, a->ai_addrlen) == 0) {
            freeaddrinfo(found);
            return fd;
        }
        close(fd);
    }
    fail(NO_CONNECTION, "cannot connect to %s port %s: %m", host, port);
    return -1;
}

/* Copies the reply to stdout as it comes: whole at its Content-Length, without one at the end of
 * the TLS stream. */
static void copy_reply(mbedtls_ssl_context *ssl) {
    static char head[16384 + 1];
    static unsigned char buf[16384];
    unsigned long long got = 0, head_len = 0, whole = 0;
    size_t kept = 0;
    while (whole == 0 || got < whole) {
        int n = mbedtls_ssl_read(ssl, buf, sizeof buf);
        if (n == MBEDTLS_ERR_SSL_WANT_READ || n == MBEDTLS_ERR_SSL_WANT_WRITE) {
            continue;
        }
#if MBEDTLS_VERSION_NUMBER >= 0x03000000
        if (n == MBEDTLS_ERR_SSL_RECEIVED_NEW_SESSION_TICKET) {
            continue;
        }
#endif
        if (n == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY && head_len > 0 && whole == 0) {
            return;
        }
        if (n == MBEDTLS_ERR_SSL_PEER_CLOSE_NOTIFY || n == 0) {
            fail(NO_REPLY, "the peer closed after %llu bytes, before the end of the reply", got);
        }
        check(NO_REPLY, "read", n);
        if (fwrite(buf, 1, (size_t) n, stdout) != (size_t) n) {
            fail(NO_REPLY, "cannot write to stdout");
        }
        got += (unsigned) n;
        if (head_len > 0) {
            continue;
        }

        size_t room = sizeof head - 1 - kept, more = (size_t) n < room ? (size_t) n : room;
        memcpy(head + kept, buf, more);
        kept += more;
        head[kept] = '\0';
        char *end = strstr(head, "\r\n\r\n");
        if (end != NULL) {
            end[2] = '\0';
            head_len = (unsigned long long) (end + 4 - head);
            char *length = strcasestr(head, "\r\nContent-Length:");
            if (length != NULL) {
                whole = head_len + strtoull(length + 17, NULL, 10);
            }
        } else if (kept == sizeof head - 1) {
            fail(NO_REPLY, "no end of the reply's head in its first 16 KiB");
        }
    }
}

int main(int argc, char **argv) {
    char *host = NULL, *port = NULL;
    const char *server_name = NULL, *ca_file = NULL, *auth = "any";
    int send_name = 1, verify = 1, tls13 = 0;
    for (int i = 1; i < argc; i++) {
        const char *option = argv[i];
        if (strcmp(option, "--no-server-name") == 0) {
            send_name = 0;
        } else if (strcmp(option, "--no-verify") == 0) {
            verify = 0;
        } else if (strcmp(option, "--tls12") == 0) {
            tls13 = 0;
        } else if (strcmp(option, "--tls13") == 0) {
            tls13 = 1;
        } else if (++i == argc) {
            usage();
        } else if (strcmp(option, "--connect") == 0) {
            host = argv[i];
        } else if (strcmp(option, "--server-name") == 0) {
            server_name = argv[i];
        } else if (strcmp(option, "--ca") == 0) {
            ca_file = argv[i];
        } else if (strcmp(option, "--auth") == 0) {
            auth = argv[i];
        } else {
            usage();
        }
    }
    if (host == NULL || (port = strrchr(host, ':')) == NULL || (ca_file == NULL) == verify ||
        (server_name != NULL && !send_name) || (tls13 && strcmp(auth, "any") != 0) ||
        (tls13 && MBEDTLS_VERSION_NUMBER < 0x03060000) ||
        (strcmp(auth, "any") != 0 && strcmp(auth, "ecdsa") != 0 && strcmp(auth, "rsa") != 0)) {
        usage();
    }
    *port++ = '\0';
    if (send_name && server_name == NULL) {
        server_name = host; /* as the firmware does, which knows nothing but its URL */
    }

    mbedtls_entropy_context entropy;
    mbedtls_ctr_drbg_context rng;
    mbedtls_x509_crt ca;
    mbedtls_ssl_config conf;
    mbedtls_ssl_context ssl;
    mbedtls_net_context net;
    mbedtls_entropy_init(&entropy);
    mbedtls_ctr_drbg_init(&rng);
    mbedtls_x509_crt_init(&ca);
    mbedtls_ssl_config_init(&conf);
    mbedtls_ssl_init(&ssl);
    mbedtls_net_init(&net);
    check(USAGE, "rng", mbedtls_ctr_drbg_seed(&rng, mbedtls_entropy_func, &entropy, NULL, 0));
    check(USAGE, "config",
          mbedtls_ssl_config_defaults(&conf, MBEDTLS_SSL_IS_CLIENT, MBEDTLS_SSL_TRANSPORT_STREAM,
                                      MBEDTLS_SSL_PRESET_DEFAULT));
    mbedtls_ssl_conf_rng(&conf, mbedtls_ctr_drbg_random, &rng);
    mbedtls_ssl_conf_dbg(&conf, on_debug, NULL);
    mbedtls_ssl_conf_read_timeout(&conf, TIMEOUT_S * 1000);
    mbedtls_ssl_conf_ciphersuites(&conf, ciphersuites(auth));
#if MBEDTLS_VERSION_NUMBER >= 0x03060000
    mbedtls_ssl_protocol_version version =
        tls13 ? MBEDTLS_SSL_VERSION_TLS1_3 : MBEDTLS_SSL_VERSION_TLS1_2;
    check(USAGE, "psa", psa_crypto_init() == PSA_SUCCESS ? 0 : MBEDTLS_ERR_SSL_INTERNAL_ERROR);
    mbedtls_ssl_conf_min_tls_version(&conf, version);
    mbedtls_ssl_conf_max_tls_version(&conf, version);
#else
    mbedtls_ssl_conf_min_version(&conf, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
    mbedtls_ssl_conf_max_version(&conf, MBEDTLS_SSL_MAJOR_VERSION_3, MBEDTLS_SSL_MINOR_VERSION_3);
#endif
    if (verify) {
        check(USAGE, ca_file, mbedtls_x509_crt_parse_file(&ca, ca_file));
        mbedtls_ssl_conf_ca_chain(&conf, &ca, NULL);
        mbedtls_ssl_conf_verify(&conf, forgive_dates, NULL);
    }
    mbedtls_ssl_conf_authmode(&conf,
                              verify ? MBEDTLS_SSL_VERIFY_REQUIRED : MBEDTLS_SSL_VERIFY_NONE);
    check(USAGE, "setup", mbedtls_ssl_setup(&ssl, &conf));
    /* NULL is said aloud: since 3.6.3 a client that verifies must choose to check no name. */
    check(USAGE, "server name", mbedtls_ssl_set_hostname(&ssl, server_name));

    size_t request_len;
    char *request = read_stdin(&request_len);
    signal(SIGPIPE, SIG_IGN); /* a peer that closes early is an error to report */
    net.fd = tcp_connect(host, port);
    mbedtls_ssl_set_bio(&ssl, &net, mbedtls_net_send, NULL, mbedtls_net_recv_timeout);

    int ret;
    mbedtls_debug_set_threshold(2); /* for on_debug */
    do {
        ret = mbedtls_ssl_handshake(&ssl);
    } while (ret == MBEDTLS_ERR_SSL_WANT_READ || ret == MBEDTLS_ERR_SSL_WANT_WRITE);
    mbedtls_debug_set_threshold(0);
    uint32_t flags = mbedtls_ssl_get_verify_result(&ssl);
    if (ret != 0 && verify && flags != 0 && flags != UINT32_MAX) {
        char info[1024];
        mbedtls_x509_crt_verify_info(info, sizeof info, "device: verify: ", flags);
        fputs(info, stderr);
    }
    check(NO_HANDSHAKE, "handshake", ret);

    char mbedtls_version[16];
    mbedtls_version_get_string(mbedtls_version);
    const mbedtls_x509_crt *cert = mbedtls_ssl_get_peer_cert(&ssl);
    fprintf(stderr, "version=%s cipher=%s curve=%s cert_key=%s mbedtls=%s\n",
            mbedtls_ssl_get_version(&ssl), mbedtls_ssl_get_ciphersuite(&ssl), curve,
            cert == NULL ? "none" : mbedtls_pk_get_name(&cert->pk), mbedtls_version);

    for (size_t sent = 0; sent < request_len;) {
        ret = mbedtls_ssl_write(&ssl, (unsigned char *) request + sent, request_len - sent);
        if (ret == MBEDTLS_ERR_SSL_WANT_READ || ret == MBEDTLS_ERR_SSL_WANT_WRITE) {
            continue;
        }
        check(NO_REPLY, "write", ret);
        sent += (size_t) ret;
    }
    copy_reply(&ssl);
    if (fflush(stdout) != 0) {
        fail(NO_REPLY, "cannot write to stdout");
    }
    mbedtls_ssl_close_notify(&ssl);
    return DONE;
}
