package dev.aftersend.peer;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import org.apache.avro.message.BinaryMessageDecoder;
import org.apache.avro.message.BinaryMessageEncoder;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;

/** Avro single-object encoding as a serde: the framing of every topic here. */
final class SingleObject {
    private SingleObject() {}

    static <T> Serde<T> serde(BinaryMessageEncoder<T> encoder, BinaryMessageDecoder<T> decoder) {
        return Serdes.serdeFrom(
            (topic, value) -> value == null ? null : encode(encoder, value),
            (topic, bytes) -> bytes == null ? null : decode(decoder, bytes));
    }

    private static <T> byte[] encode(BinaryMessageEncoder<T> encoder, T value) {
        try {
            ByteBuffer buffer = encoder.encode(value);
            byte[] array = buffer.array();
            boolean whole = buffer.arrayOffset() == 0 && buffer.position() == 0 && buffer.remaining() == array.length;
            return whole ? array : Arrays.copyOfRange(array, buffer.position(), buffer.limit());
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    private static <T> T decode(BinaryMessageDecoder<T> decoder, byte[] bytes) {
        try {
            return decoder.decode(bytes);
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }
}
