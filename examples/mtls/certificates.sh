#!/bin/sh
# Makes certificates to try this example with, in certs/: an authority, and one
# certificate each for the server (localhost) and for a client, valid for 30
# days. Keys are left unencrypted on disk: for trying only.
set -eu
cd "$(dirname "$0")"
mkdir -p certs
cd certs
umask 077

# sign NAME EXTENSIONS makes NAME.key and NAME.crt, signed by the authority.
sign() {
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-subj "/CN=$1" -keyout "$1.key" -out "$1.csr"
	printf '%b' "$2" >"$1.ext"
	openssl x509 -req -in "$1.csr" -days 30 -extfile "$1.ext" \
		-CA ca.crt -CAkey ca.key -CAcreateserial -out "$1.crt"
	rm "$1.csr" "$1.ext"
}

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
	-subj "/CN=remote_tap example authority" -keyout ca.key -out ca.crt
sign server 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\nextendedKeyUsage=serverAuth\n'
sign client 'extendedKeyUsage=clientAuth\n'
