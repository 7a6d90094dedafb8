"""A gRPC-Web client: python grpc_web.py HOST:PORT REQUEST_AS_JSON.

Prints the responses of Tap as JSON, a line each, and on standard error the trailers.
"""

import http.client
import json
import sys

from google.protobuf.json_format import MessageToDict, Parse

from remotetap.v1.tap_pb2 import TapRequest, TapResponse


def main(address: str, request: str) -> None:
    message = Parse(request, TapRequest()).SerializeToString()
    connection = http.client.HTTPConnection(address)
    connection.request(
        "POST",
        "/remotetap.v1.TapService/Tap",
        body=bytes([0]) + len(message).to_bytes(4, "big") + message,
        headers={"Content-Type": "application/grpc-web+proto", "X-Grpc-Web": "1"},
    )
    response = connection.getresponse()
    while head := response.read(5):  # one byte of flags, four of length
        data = response.read(int.from_bytes(head[1:], "big"))
        if head[0] & 0x80:
            print(data.decode().strip(), file=sys.stderr)
        else:
            answer = MessageToDict(TapResponse.FromString(data), always_print_fields_with_no_presence=True)
            print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
