#!/usr/bin/env bash
# Keys and certificates of the test broker and its clients, by openssl alone: certificates.sh DIRECTORY PASSWORD
set -euo pipefail
directory=$1 password=$2
mkdir -p "$directory"
cd "$directory"

key() { # name; PKCS#8 is what Kafka's PEM store wants
  openssl ecparam -genkey -name prime256v1 -noout 2>/dev/null | openssl pkcs8 -topk8 -nocrypt -out "$1.key"
}

authority() { # name
  key "$1"
  openssl req -x509 -new -key "$1.key" -days 3650 -subj "/CN=$1" -out "$1.crt" \
    -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null
}

certificate() { # name, authority, common name, extended key usage, alternative names
  key "$1"
  printf 'basicConstraints=CA:FALSE\nextendedKeyUsage=%s\n%s' "$4" "${5:+subjectAltName=$5}" >"$1.ext"
  openssl req -new -key "$1.key" -subj "/CN=$3" -out "$1.csr" 2>/dev/null
  openssl x509 -req -in "$1.csr" -CA "$2.crt" -CAkey "$2.key" -CAcreateserial -days 3650 \
    -out "$1.crt" -extfile "$1.ext" 2>/dev/null
  rm "$1.csr" "$1.ext"
  openssl pkcs12 -export -in "$1.crt" -inkey "$1.key" -certfile "$2.crt" -name "$1" -passout "pass:$password" -out "$1.p12"
  openssl pkcs8 -topk8 -v2 aes-256-cbc -in "$1.key" -passout "pass:$password" -out "$1.encrypted.key"
}

authority test-ca
authority rogue-ca
certificate broker test-ca localhost serverAuth,clientAuth DNS:localhost,IP:127.0.0.1
certificate client test-ca mtls-client clientAuth
certificate rogue rogue-ca mtls-client clientAuth
cat broker.key broker.crt test-ca.crt >broker.pem
