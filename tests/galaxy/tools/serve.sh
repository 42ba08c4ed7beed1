#!/bin/sh
# serve.sh PORT: answers requests with their own heads, and sends back what comes in a WebSocket.
# The key of the WebSocket is that of RFC 6455, section 1.3, always.
if [ $# -gt 0 ]; then exec nc -ll -p "$1" -e sh "$0"; fi
end=$(printf '\r')
head= upgrade=
while read -r line && [ "$line" != "$end" ]; do
  head="$head${line%"$end"}
"
  case $line in [Uu]pgrade:*) upgrade=1 ;; esac
done
if [ "$upgrade" ]; then
  printf 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n'
  printf 'Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n'
  exec cat
fi
printf 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n'
printf 'Set-Cookie: galaxysession=mine; Path=/\r\nSet-Cookie: own=1; Path=/\r\n'
printf 'Content-Length: %d\r\n\r\n%s' "${#head}" "$head"
