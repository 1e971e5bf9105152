#!/usr/bin/python3
"""Verifies SigV4 signatures with botocore, and passes requests on to an emulator of AWS, which checks none.

usage: sigv4_gate.py PORT UPSTREAM

SIGKEYS in the environment holds the keys: ID:SECRET[:SESSION TOKEN], separated by commas.
"""
import datetime
import hashlib
import hmac
import json
import os
import re
import sys
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

REGION = 'us-east-1'
SERVICE = 'secretsmanager'
MAX_SKEW_SECONDS = 300
AUTHORIZATION = re.compile(
    r'^AWS4-HMAC-SHA256 Credential=([^/,\s]+)/(\d{8})/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request,\s*'
    r'SignedHeaders=([a-z0-9;-]+),\s*Signature=([0-9a-f]{64})$'
)


class Refused(Exception):
    """A request that AWS would refuse: the name of its error, and the message."""

    def __init__(self, error, message):
        super().__init__(message)
        self.error = error
        self.message = message


def require(condition, message, error='InvalidSignatureException'):
    if not condition:
        raise Refused(error, message)


def keys_of(text):
    """Maps each key id to its secret and its session token, or None."""
    parts = [key.split(':') for key in text.split(',')]
    return {key_id: (secret, token[0] if token else None) for key_id, secret, *token in parts}


def verify(method, target, headers, body, keys):
    """Raises Refused unless the signature is right, and covers what it has to."""
    authorization = headers.get('authorization')
    require(authorization, 'Missing Authentication Token', 'MissingAuthenticationTokenException')
    match = AUTHORIZATION.match(authorization)
    require(match, 'malformed Authorization header', 'IncompleteSignatureException')
    key_id, day, region, service, signed_headers, signature = match.groups()
    require(key_id in keys, 'The security token included in the request is invalid.', 'UnrecognizedClientException')
    secret, token = keys[key_id]
    require((region, service) == (REGION, SERVICE), f'Credential should be scoped to {REGION}/{SERVICE}')
    date = headers.get('x-amz-date') or ''
    verify_date(date, day)
    verify_token(headers.get('x-amz-security-token'), token)
    signed = signed_headers.split(';')
    verify_coverage(headers, signed, token)
    content_hash = headers.get('x-amz-content-sha256')
    require(
        content_hash in (None, hashlib.sha256(body).hexdigest()), 'x-amz-content-sha256 does not match body'
    )
    request = AWSRequest(
        method, f'http://{headers["host"]}{target}', data=body, headers={name: headers[name] for name in signed}
    )
    request.context['timestamp'] = date
    auth = SigV4Auth(Credentials(key_id, secret), service, region)
    expected = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    require(
        hmac.compare_digest(expected, signature),
        'The request signature we calculated does not match the signature you provided.',
    )


def verify_date(date, day):
    require(re.match(r'^\d{8}T\d{6}Z$', date), 'X-Amz-Date missing or malformed', 'IncompleteSignatureException')
    require(date[:8] == day, 'Date in Credential scope does not match X-Amz-Date')
    signed_at = datetime.datetime.strptime(date, '%Y%m%dT%H%M%SZ').replace(tzinfo=datetime.timezone.utc)
    skew = abs((datetime.datetime.now(datetime.timezone.utc) - signed_at).total_seconds())
    require(skew <= MAX_SKEW_SECONDS, 'Signature expired or not yet current')


def verify_token(sent, token):
    error = 'UnrecognizedClientException'
    if token is None:
        require(not sent, 'unexpected session token', error)
    else:
        message = 'The security token included in the request is invalid'
        require(hmac.compare_digest(sent or '', token), message, error)


def verify_coverage(headers, signed, token):
    """Host, date, token and every other x-amz header are signed, each once."""
    require(signed == sorted(set(signed)), 'SignedHeaders not sorted/unique')
    needed = {name.lower() for name in headers if name.lower().startswith('x-amz-')} - {'x-amz-content-sha256'}
    needed |= {'host', 'x-amz-date'} | ({'x-amz-security-token'} if token else set())
    require(needed <= set(signed), f'unsigned required headers: {sorted(needed - set(signed))}')
    for name in signed:
        require(len(headers.get_all(name) or []) == 1, f'signed header {name} absent or repeated')


class Gate(BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    upstream = ''
    keys = {}

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get('content-length') or 0))
        try:
            verify(self.command, self.path, self.headers, body, self.keys)
        except Refused as refused:
            self.refuse(refused)
        else:
            self.forward(body)

    do_GET = do_PUT = do_DELETE = do_POST

    def refuse(self, refused):
        body = json.dumps({'__type': refused.error, 'message': refused.message}).encode()
        self.answer(403 if 'Missing' in refused.error else 400, body, 'x-amzn-errortype', refused.error)

    def forward(self, body):
        hop = ('host', 'connection', 'content-length')
        headers = {name: value for name, value in self.headers.items() if name.lower() not in hop}
        request = urllib.request.Request(self.upstream + self.path, data=body, method=self.command, headers=headers)
        try:
            response = urllib.request.urlopen(request, timeout=10)
        except urllib.error.HTTPError as error:
            response = error
        request_id = response.headers.get('x-amzn-requestid') or ''
        self.answer(response.status, response.read(), 'x-amzn-requestid', request_id)

    def answer(self, status, body, name, value):
        self.send_response(status)
        self.send_header('content-type', 'application/x-amz-json-1.1')
        self.send_header(name, value)
        self.send_header('content-length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


if __name__ == '__main__':
    Gate.upstream = sys.argv[2]
    Gate.keys = keys_of(os.environ['SIGKEYS'])
    ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), Gate).serve_forever()
