// A chat client made with npm's ws, and what it sees: node chat_client.js URL
// It prints one JSON object; chat_client.py prints the same one.
'use strict'

const WebSocket = require('ws')

const MESSAGE = 'grüße \u{1F600}'
const LIMIT = 8192
const url = process.argv[2]
const own = url.replace('ws', 'http').replace(/\/ws$/, '')

function begin (options = {}, subprotocol = 'giechat.v1.json') {
  return new WebSocket(url, subprotocol, {
    headers: { Cookie: 'galaxysession=alice' },
    origin: own,
    rejectUnauthorized: false,
    ...options
  })
}

// The messages of a socket one by one, though they may come before anybody asks for them.
function messages (socket) {
  const come = []
  const asked = []
  socket.on('message', (data) => {
    if (asked.length) asked.shift()(data.toString())
    else come.push(data.toString())
  })
  return () => new Promise((resolve) => {
    if (come.length) resolve(come.shift())
    else asked.push(resolve)
  })
}

function once (socket, event) {
  return new Promise((resolve) => socket.once(event, (...given) => resolve(given)))
}

async function ended (message, options) {
  const socket = begin(options)
  let answer = 0
  socket.on('message', () => { if (answer++ === 0) socket.send(message) })
  const [code, reason] = await once(socket, 'close')
  return [code, reason.toString()]
}

async function refused (options, subprotocol) {
  const socket = begin(options, subprotocol)
  socket.on('error', () => {})
  const [, response] = await once(socket, 'unexpected-response')
  response.destroy()
  return response.statusCode
}

async function main () {
  const socket = begin()
  const next = messages(socket)
  await once(socket, 'open')
  const seen = {
    subprotocol: socket.protocol,
    extensions: socket.extensions.length,
    hello: await next()
  }
  socket.send(MESSAGE)
  seen.echo = await next() === MESSAGE
  socket.send(MESSAGE.slice(0, 3), { fin: false })
  socket.send(MESSAGE.slice(3), { fin: false })
  socket.send('', { fin: true })
  seen.fragments = await next() === MESSAGE
  socket.send('x'.repeat(LIMIT))
  seen.largest = await next() === 'x'.repeat(LIMIT)
  socket.send(Buffer.from([0, 255]), { binary: true })
  const answer = JSON.parse(await next())
  seen.binary = [answer.t, answer.code]
  const pong = once(socket, 'pong')
  socket.ping('there?')
  seen.pong = (await pong)[0].toString() === 'there?'
  socket.close(1000)
  seen.closed = (await once(socket, 'close'))[0]
  seen['too large'] = (await ended('x'.repeat(LIMIT + 1)))[0]
  seen.restart = await ended('close 1012')
  seen.banned = await ended('close 4403')
  seen.failure = await ended('fail')
  seen.nobody = await ended('', { headers: {} })
  seen['no subprotocol'] = await refused({}, [])
  seen.foreign = await refused({ origin: 'https://evil.example.org' })
  console.log(JSON.stringify(seen))
}

main().catch((error) => {
  console.error(error)
  process.exit(1)
})
