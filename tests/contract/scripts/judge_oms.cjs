// Judges bundles of OpenSSF Model Signing with the verifier of Sigstore in JavaScript, by a key that is given.
//
// judge_oms.cjs NODE_MODULES FILE   FILE is [{"bundle", "key"}] with paths; prints [{"accepted", "words"}]
//
// It verifies the signature of the envelope alone: logs, certificates and times are none of its business here.

const crypto = require('node:crypto')
const fs = require('node:fs')
const { createRequire } = require('node:module')

const [, , modules, file] = process.argv
const load = createRequire(`${modules}/judge.cjs`)
const { bundleFromJSON } = load('@sigstore/bundle')
const { Verifier, toSignedEntity } = load('@sigstore/verify')

function judge ({ bundle, key }) {
  const publicKey = crypto.createPublicKey(fs.readFileSync(key))
  const trust = {
    certificateAuthorities: [],
    timestampAuthorities: [],
    tlogs: [],
    ctlogs: [],
    publicKey: () => ({ publicKey, validFor: () => true })
  }
  const verifier = new Verifier(trust, { tlogThreshold: 0, ctlogThreshold: 0, tsaThreshold: 0 })
  try {
    verifier.verify(toSignedEntity(bundleFromJSON(JSON.parse(fs.readFileSync(bundle)))))
    return { accepted: true, words: '' }
  } catch (error) {
    return { accepted: false, words: `${error.code}: ${error.message}` }
  }
}

console.log(JSON.stringify(JSON.parse(fs.readFileSync(file)).map(judge)))
