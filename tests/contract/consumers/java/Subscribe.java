import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.avro.Schema;
import org.apache.avro.SchemaNormalization;
import org.apache.avro.generic.GenericDatumReader;
import org.apache.avro.generic.GenericRecord;
import org.apache.avro.io.BinaryDecoder;
import org.apache.avro.io.DecoderFactory;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/**
 * Reads a topic of Aftersend, and prints each record as a line of JSON.
 *
 * <pre>
 * mvn dependency:copy-dependencies -DoutputDirectory=jars
 * java -cp 'jars/*' Subscribe.java --brokers localhost:19092 --topic outcomes.suppression.v1 --schemas ../../../../schemas/avro
 * </pre>
 *
 * <p>Ends at what was the topic's end when it started. {@code --registry URL} names a schema registry, {@code --config KEY=VALUE} passes
 * anything to the client. Times are printed as they travel, in milliseconds.
 */
public final class Subscribe {
    public static void main(String[] arguments) throws IOException {
        Map<String, String> options = new HashMap<>();
        Properties more = new Properties();
        for (int at = 0; at + 1 < arguments.length; at += 2) {
            if (arguments[at].equals("--config")) {
                String[] pair = arguments[at + 1].split("=", 2);
                more.put(pair[0], pair[1]);
            } else {
                options.put(arguments[at], arguments[at + 1]);
            }
        }
        if (!options.keySet().containsAll(List.of("--brokers", "--topic", "--schemas"))) {
            System.err.println("wanted: --brokers HOST:PORT --topic TOPIC --schemas FOLDER [--registry URL] [--config KEY=VALUE]");
            System.exit(64);
        }
        Decoder decoder = new Decoder(Path.of(options.get("--schemas")), options.get("--registry"));

        Properties settings = new Properties();
        settings.put("bootstrap.servers", options.get("--brokers"));
        settings.put("group.id", "aftersend-subscribe-example");
        // Without it, records of transactions that were rolled back come too.
        settings.put("isolation.level", "read_committed");
        // Commit behind what is done, not by the clock.
        settings.put("enable.auto.commit", "false");
        settings.put("auto.offset.reset", "earliest");
        settings.putAll(more);
        try (KafkaConsumer<byte[], byte[]> consumer =
                new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            read(consumer, options.get("--topic"), decoder);
        }
    }

    private static void read(KafkaConsumer<byte[], byte[]> consumer, String topic, Decoder decoder) {
        List<TopicPartition> partitions = new ArrayList<>();
        consumer.partitionsFor(topic).forEach(it -> partitions.add(new TopicPartition(topic, it.partition())));
        consumer.assign(partitions);
        consumer.seekToBeginning(partitions);
        Map<TopicPartition, Long> ends = consumer.endOffsets(partitions);
        // By position and not by the last record: the last offsets may be a transaction's own markers.
        while (ends.entrySet().stream().anyMatch(it -> consumer.position(it.getKey()) < it.getValue())) {
            for (ConsumerRecord<byte[], byte[]> record : consumer.poll(Duration.ofSeconds(1))) {
                GenericRecord value = decoder.value(record.value());
                String key = record.key() == null ? null : new String(record.key(), StandardCharsets.UTF_8);
                System.out.printf(
                        "{\"partition\": %d, \"offset\": %d, \"key\": %s, \"value\": %s}%n",
                        record.partition(), record.offset(), quoted(key), value);
            }
        }
    }

    /** As a JSON text. */
    private static String quoted(String text) {
        if (text == null) {
            return "null";
        }
        StringBuilder quoted = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                quoted.append('\\').append(c);
            } else if (c < ' ') {
                quoted.append(String.format("\\u%04x", (int) c));
            } else {
                quoted.append(c);
            }
        }
        return quoted.append('"').toString();
    }

    /** Bytes to values. Knows the writers' schemas by their fingerprints from files, and by their ids from a registry. */
    private static final class Decoder {
        private static final int SINGLE_OBJECT = 0xC301;
        private static final int CONFLUENT = 0;

        private final Map<Long, Schema> byFingerprint = new HashMap<>();
        private final Map<Integer, Schema> byId = new HashMap<>();
        private final String registry;

        Decoder(Path folder, String registry) throws IOException {
            this.registry = registry;
            try (var files = Files.walk(folder)) {
                for (Path file : files.filter(it -> it.toString().endsWith(".avsc")).toList()) {
                    Schema schema = new Schema.Parser().parse(Files.readString(file));
                    byFingerprint.put(SchemaNormalization.parsingFingerprint64(schema), schema);
                }
            }
        }

        /** The value, or null for a tombstone. An unknown schema is an error that a newer file mends: never skip the record. */
        GenericRecord value(byte[] data) {
            if (data == null) {
                return null;
            }
            ByteBuffer bytes = ByteBuffer.wrap(data);
            Schema schema;
            int body;
            if (data.length >= 10 && (bytes.getShort(0) & 0xFFFF) == SINGLE_OBJECT) {
                long fingerprint = bytes.order(ByteOrder.LITTLE_ENDIAN).getLong(2);
                schema = byFingerprint.get(fingerprint);
                if (schema == null) {
                    throw new IllegalStateException(
                            "written with an unknown schema, fingerprint %016x: get the newer schemas".formatted(fingerprint));
                }
                body = 10;
            } else if (data.length >= 5 && data[0] == CONFLUENT) {
                schema = byId.computeIfAbsent(bytes.getInt(1), this::registered);
                body = 5;
            } else {
                throw new IllegalStateException("framed in neither way");
            }
            BinaryDecoder decoder = DecoderFactory.get().binaryDecoder(data, body, data.length - body, null);
            try {
                return new GenericDatumReader<GenericRecord>(schema).read(null, decoder);
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        }

        private Schema registered(int id) {
            if (registry == null) {
                throw new IllegalStateException("written with schema " + id + " of a registry: name it with --registry");
            }
            HttpRequest request = HttpRequest.newBuilder(URI.create(registry + "/schemas/ids/" + id)).timeout(Duration.ofSeconds(10)).build();
            try {
                String answer = HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body();
                // The answer is JSON with one text, the schema. Avro brings Jackson.
                String schema = new com.fasterxml.jackson.databind.ObjectMapper().readTree(answer).get("schema").asText();
                return new Schema.Parser().parse(schema);
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            } catch (InterruptedException error) {
                Thread.currentThread().interrupt();
                throw new IllegalStateException(error);
            }
        }
    }
}
