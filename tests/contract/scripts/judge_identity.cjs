// Judges bundles by an identity of Sigstore with its verifier in JavaScript, offline: logs, times and certificates.
//
// judge_identity.cjs NODE_MODULES TRUSTED_ROOT FILE   FILE is [{"bundle", "identity", "issuer"}] with paths;
//                                                     prints [{"accepted", "words"}]

const fs = require('node:fs')
const { createRequire } = require('node:module')

const [, , modules, root, file] = process.argv
const load = createRequire(`${modules}/judge.cjs`)
const { bundleFromJSON } = load('@sigstore/bundle')
const { TrustedRoot } = load('@sigstore/protobuf-specs')
const { Verifier, toSignedEntity, toTrustMaterial } = load('@sigstore/verify')

const trust = toTrustMaterial(TrustedRoot.fromJSON(JSON.parse(fs.readFileSync(root))))

function judge ({ bundle, identity, issuer }) {
  const verifier = new Verifier(trust, { tsaThreshold: 0 })
  const policy = { subjectAlternativeName: identity, extensions: { issuer } }
  try {
    verifier.verify(toSignedEntity(bundleFromJSON(JSON.parse(fs.readFileSync(bundle)))), policy)
    return { accepted: true, words: '' }
  } catch (error) {
    return { accepted: false, words: `${error.code}: ${error.message}` }
  }
}

console.log(JSON.stringify(JSON.parse(fs.readFileSync(file)).map(judge)))
