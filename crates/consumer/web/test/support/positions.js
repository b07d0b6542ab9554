// Positions as the service makes them.

const TOPIC = Uint8Array.from({ length: 16 }, (_, i) => i * 16 + 1);

/**
 * @param {number | bigint} nextOffset
 * @param {{topic?: Uint8Array, partition?: number}} [log]
 */
export function positionOf(nextOffset, { topic = TOPIC, partition = 3 } = {}) {
  const bytes = Buffer.alloc(33);
  bytes.writeUInt8(1, 0);
  bytes.set(topic, 1);
  bytes.writeInt32BE(partition, 17);
  bytes.writeBigInt64BE(BigInt(nextOffset), 21);
  bytes.writeUInt32BE(crc32c(bytes.subarray(0, 29)), 29);
  return bytes.toString('base64url');
}

/** @param {Uint8Array} bytes */
function crc32c(bytes) {
  let crc = ~0;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}
