// The official Signal library as a party: the same JSON lines as `python -m aparte.e2ee.party`.
// One request a line on standard input, {id, op, …}; one answer a line, {id, …} or {id, error}; bytes are base64.
import { createInterface } from 'node:readline';
import * as signal from '@signalapp/libsignal-client';

const bytes = (text) => new Uint8Array(Buffer.from(text, 'base64'));
const text = (data) => Buffer.from(data).toString('base64');
const address = (name) => {
  const dot = name.lastIndexOf('.');
  return signal.ProtocolAddress.new(name.slice(0, dot), Number(name.slice(dot + 1)));
};
const found = (map, key, what) => {
  if (!map.has(key)) throw new Error(`no ${what}`);
  return map.get(key);
};

class Sessions extends signal.SessionStore {
  records = new Map();
  async saveSession(name, record) {
    this.records.set(name.toString(), record.serialize());
  }
  async getSession(name) {
    const data = this.records.get(name.toString());
    return data ? signal.SessionRecord.deserialize(data) : null;
  }
  async getExistingSessions(addresses) {
    return Promise.all(addresses.map((name) => this.getSession(name)));
  }
}

class Identities extends signal.IdentityKeyStore {
  known = new Map();
  key = signal.PrivateKey.generate();
  registrationId = 1 + Math.floor(Math.random() * 16380);
  async getIdentityKey() {
    return this.key;
  }
  async getLocalRegistrationId() {
    return this.registrationId;
  }
  async saveIdentity(name, key) {
    const before = this.known.get(name.toString());
    this.known.set(name.toString(), key);
    return before && !before.equals(key)
      ? signal.IdentityChange.ReplacedExisting
      : signal.IdentityChange.NewOrUnchanged;
  }
  async isTrustedIdentity(name, key) {
    const known = this.known.get(name.toString());
    return !known || known.equals(key);
  }
  async getIdentity(name) {
    return this.known.get(name.toString()) ?? null;
  }
}

class OneTimePrekeys extends signal.PreKeyStore {
  records = new Map();
  async savePreKey(id, record) {
    this.records.set(id, record);
  }
  async getPreKey(id) {
    return found(this.records, id, 'one-time prekey');
  }
  async removePreKey(id) {
    this.records.delete(id);
  }
}

class SignedPrekeys extends signal.SignedPreKeyStore {
  records = new Map();
  async saveSignedPreKey(id, record) {
    this.records.set(id, record);
  }
  async getSignedPreKey(id) {
    return found(this.records, id, 'signed prekey');
  }
}

class KyberPrekeys extends signal.KyberPreKeyStore {
  records = new Map();
  lastResort = new Set();
  uses = new Set();
  async saveKyberPreKey(id, record) {
    this.records.set(id, record);
  }
  async getKyberPreKey(id) {
    return found(this.records, id, 'Kyber prekey');
  }
  async markKyberPreKeyUsed(id, signedId, baseKey) {
    if (!this.lastResort.has(id)) {
      this.records.delete(id);
      return;
    }
    const use = [id, signedId, text(baseKey.serialize())].join();
    if (this.uses.has(use)) throw new Error('last-resort prekey replayed');
    this.uses.add(use);
  }
}

class SenderKeys extends signal.SenderKeyStore {
  records = new Map();
  async saveSenderKey(sender, distributionId, record) {
    this.records.set(`${sender}/${distributionId}`, record.serialize());
  }
  async getSenderKey(sender, distributionId) {
    const data = this.records.get(`${sender}/${distributionId}`);
    return data ? signal.SenderKeyRecord.deserialize(data) : null;
  }
}

class Party {
  nextId = 1;
  sessions = new Sessions();
  identities = new Identities();
  oneTime = new OneTimePrekeys();
  signed = new SignedPrekeys();
  kyber = new KyberPrekeys();
  senderKeys = new SenderKeys();

  constructor(name) {
    this.address = address(name);
  }

  async new() {
    await this.renew();
    return { identity: text(this.identities.key.getPublicKey().serialize()) };
  }

  async renew() {
    const pair = signal.PrivateKey.generate();
    const signature = this.identities.key.sign(pair.getPublicKey().serialize());
    this.spkId = this.nextId++;
    const record = signal.SignedPreKeyRecord.new(this.spkId, Date.now(), pair.getPublicKey(), pair, signature);
    await this.signed.saveSignedPreKey(this.spkId, record);
    this.lastResortId = await this.makeKyber();
    this.kyber.lastResort.add(this.lastResortId);
    return {};
  }

  async makeKyber() {
    const pair = signal.KEMKeyPair.generate();
    const signature = this.identities.key.sign(pair.getPublicKey().serialize());
    const id = this.nextId++;
    await this.kyber.saveKyberPreKey(id, signal.KyberPreKeyRecord.new(id, Date.now(), pair, signature));
    return id;
  }

  async bundle({ otp = true }) {
    const spk = await this.signed.getSignedPreKey(this.spkId);
    const pq = await this.kyber.getKyberPreKey(otp ? await this.makeKyber() : this.lastResortId);
    const answer = {
      registrationId: this.identities.registrationId,
      deviceId: this.address.deviceId(),
      identity: text(this.identities.key.getPublicKey().serialize()),
      spkId: spk.id(),
      spk: text(spk.publicKey().serialize()),
      spkSig: text(spk.signature()),
      pqId: pq.id(),
      pq: text(pq.publicKey().serialize()),
      pqSig: text(pq.signature()),
    };
    if (otp) {
      const opk = signal.PrivateKey.generate();
      answer.opkId = this.nextId++;
      answer.opk = text(opk.getPublicKey().serialize());
      await this.oneTime.savePreKey(answer.opkId, signal.PreKeyRecord.new(answer.opkId, opk.getPublicKey(), opk));
    }
    return answer;
  }

  async process({ peer, b }) {
    const bundle = signal.PreKeyBundle.new(
      b.registrationId,
      b.deviceId,
      b.opkId ?? null,
      b.opk ? signal.PublicKey.deserialize(bytes(b.opk)) : null,
      b.spkId,
      signal.PublicKey.deserialize(bytes(b.spk)),
      bytes(b.spkSig),
      signal.PublicKey.deserialize(bytes(b.identity)),
      b.pqId,
      signal.KEMPublicKey.deserialize(bytes(b.pq)),
      bytes(b.pqSig),
    );
    await signal.processPreKeyBundle(bundle, address(peer), this.address, this.sessions, this.identities);
    return {};
  }

  async encrypt({ peer, data }) {
    const message = await signal.signalEncrypt(
      bytes(data), address(peer), this.address, this.sessions, this.identities,
    );
    return { type: message.type(), body: text(message.serialize()) };
  }

  async decrypt({ peer, type, body }) {
    if (type === signal.CiphertextMessageType.Whisper) {
      const message = signal.SignalMessage.deserialize(bytes(body));
      return {
        data: text(
          await signal.signalDecrypt(message, address(peer), this.address, this.sessions, this.identities),
        ),
      };
    }
    const message = signal.PreKeySignalMessage.deserialize(bytes(body));
    const data = await signal.signalDecryptPreKey(
      message, address(peer), this.address,
      this.sessions, this.identities, this.oneTime, this.signed, this.kyber,
    );
    return { data: text(data) };
  }

  async skdm({ dist }) {
    const message = await signal.SenderKeyDistributionMessage.create(this.address, dist, this.senderKeys);
    return { body: text(message.serialize()) };
  }

  async rekey({ dist }) {
    this.senderKeys.records.delete(`${this.address}/${dist}`);
    return {};
  }

  async skprocess({ peer, body }) {
    const message = signal.SenderKeyDistributionMessage.deserialize(bytes(body));
    await signal.processSenderKeyDistributionMessage(address(peer), message, this.senderKeys);
    return {};
  }

  async gencrypt({ dist, data }) {
    const message = await signal.groupEncrypt(this.address, dist, this.senderKeys, bytes(data));
    return { body: text(message.serialize()) };
  }

  async gdecrypt({ peer, body }) {
    return { data: text(await signal.groupDecrypt(address(peer), this.senderKeys, bytes(body))) };
  }
}

const parties = new Map();

async function answer(request) {
  const { op, name } = request;
  if (op === 'fingerprint') {
    const key = (data) => signal.PublicKey.deserialize(bytes(data));
    const number = signal.Fingerprint.new(
      request.iterations, request.version,
      bytes(request.lid), key(request.lkey), bytes(request.rid), key(request.rkey),
    );
    return {
      display: number.displayableFingerprint().toString(),
      scannable: text(number.scannableFingerprint().toBuffer()),
    };
  }
  if (op === 'verify') {
    return { ok: signal.PublicKey.deserialize(bytes(request.key)).verify(bytes(request.data), bytes(request.sig)) };
  }
  if (op === 'new') parties.set(name, new Party(name));
  return parties.get(name)[op](request);
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  let result;
  try {
    result = await answer(request);
  } catch (error) {
    result = { error: `${error.name}: ${error.message}` };
  }
  process.stdout.write(`${JSON.stringify({ id: request.id, ...result })}\n`);
}
