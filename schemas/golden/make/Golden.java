import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.TreeSet;
import org.apache.avro.Schema;
import org.apache.avro.SchemaNormalization;
import org.apache.avro.generic.GenericData;
import org.apache.avro.message.BinaryMessageEncoder;
import org.apache.kafka.clients.producer.internals.BuiltInPartitioner;
import org.apache.kafka.common.utils.Utils;

/**
 * Asks Apache's own libraries where a key belongs, what a schema's fingerprint is and how a value is written.
 *
 * <p>{@code Golden.java murmur2|fingerprints|records AVRO_DIR}, inputs as JSON lines on stdin, answers on stdout.
 */
public final class Golden {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int[] COUNTS = {1, 6, 32, 256};

    public static void main(String[] arguments) throws Exception {
        Path avro = Path.of(arguments[1]);
        List<ObjectNode> answers = new ArrayList<>();
        switch (arguments[0]) {
            case "murmur2" -> {
                for (ObjectNode line : stdin()) answers.add(partitions(line));
            }
            case "fingerprints" -> {
                TreeSet<String> names = new TreeSet<>();
                for (ObjectNode line : stdin()) names.add(line.get("record").asText());
                for (String name : names) answers.add(fingerprint(name, schema(avro, name)));
            }
            case "records" -> {
                for (ObjectNode line : stdin()) answers.add(encoded(line, schema(avro, line.get("record").asText())));
            }
            default -> throw new IllegalArgumentException(arguments[0]);
        }
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        for (ObjectNode answer : answers) out.println(JSON.writeValueAsString(answer));
        out.flush();
    }

    private static ObjectNode partitions(ObjectNode line) {
        byte[] key = line.get("key").asText().getBytes(StandardCharsets.UTF_8);
        line.put("positive", Utils.toPositive(Utils.murmur2(key)));
        for (int count : COUNTS) line.put("of" + count, BuiltInPartitioner.partitionForKey(key, count));
        return line;
    }

    private static ObjectNode fingerprint(String name, Schema schema) throws Exception {
        byte[] littleEndian = SchemaNormalization.parsingFingerprint("CRC-64-AVRO", schema);
        return JSON.createObjectNode()
            .put("record", name)
            .put("fullname", schema.getFullName())
            .put("crc64", HexFormat.of().formatHex(littleEndian));
    }

    private static ObjectNode encoded(ObjectNode line, Schema schema) throws Exception {
        Object value = typed(line.get("value"), schema);
        ByteBuffer bytes = new BinaryMessageEncoder<Object>(GenericData.get(), schema).encode(value);
        byte[] copy = new byte[bytes.remaining()];
        bytes.get(copy);
        return line.put("hex", HexFormat.of().formatHex(copy));
    }

    private static Object typed(JsonNode node, Schema schema) {
        return switch (schema.getType()) {
            case UNION -> node.isNull() ? null : typed(node, schema.getTypes().get(1));
            case RECORD -> {
                GenericData.Record record = new GenericData.Record(schema);
                for (Schema.Field field : schema.getFields()) {
                    record.put(field.name(), typed(node.get(field.name()), field.schema()));
                }
                yield record;
            }
            case ARRAY -> {
                List<Object> items = new ArrayList<>();
                for (JsonNode item : node) items.add(typed(item, schema.getElementType()));
                yield items;
            }
            case BYTES -> {
                ByteBuffer bytes = ByteBuffer.allocate(node.size());
                for (JsonNode one : node) bytes.put((byte) one.asInt());
                yield bytes.flip();
            }
            case STRING -> node.textValue();
            case LONG -> node.longValue();
            case BOOLEAN -> node.booleanValue();
            default -> throw new IllegalArgumentException("schemas use no " + schema.getType());
        };
    }

    private static Schema schema(Path avro, String name) throws Exception {
        return new Schema.Parser().parse(Files.readString(avro.resolve(name + ".avsc")));
    }

    private static List<ObjectNode> stdin() throws Exception {
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        List<ObjectNode> lines = new ArrayList<>();
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            lines.add((ObjectNode) JSON.readTree(line));
        }
        return lines;
    }
}
