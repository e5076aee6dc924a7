package dev.aftersend.peer;

import aftersend.v1.CustomerTraits;
import aftersend.v1.MessageOutcome;
import aftersend.v1.RawRecord;
import aftersend.v1.Suppression;
import dev.aftersend.peer.state.CustomerState;
import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.state.Stores;

/**
 * The processor's job in Kafka Streams, exactly once: raw records in, duplicates dropped, a customer's deliverability kept,
 * outcomes, traits and suppressions out.
 *
 * <p>{@code Peer BOOTSTRAP APPLICATION STATE_DIR RAW_TOPIC OUTPUT_PREFIX}; runs until SIGTERM.
 */
public final class Peer {
    private static final Duration WINDOW = Duration.ofDays(30);
    private static final Duration CLOSE_MAX = Duration.ofSeconds(30);

    private Peer() {}

    public static void main(String[] arguments) {
        String bootstrap = arguments[0];
        String application = arguments[1];
        Topology topology = topology(arguments[3], arguments[4]);
        KafkaStreams streams = new KafkaStreams(topology, settings(bootstrap, application, arguments[2]));
        streams.setUncaughtExceptionHandler(failure -> {
            failure.printStackTrace();
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        Runtime.getRuntime().addShutdownHook(new Thread(() -> streams.close(CLOSE_MAX)));
        streams.start();
    }

    private static Properties settings(String bootstrap, String application, String stateDir) {
        Properties settings = new Properties();
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, application);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, stateDir);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, StreamsConfig.EXACTLY_ONCE_V2);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, Runtime.getRuntime().availableProcessors());
        // The default with exactly_once_v2, spelled out.
        settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 100);
        // One node here; a cluster's users would write 3.
        settings.put(StreamsConfig.REPLICATION_FACTOR_CONFIG, 1);
        // Names the threads, by which their time is told apart.
        settings.put(StreamsConfig.CLIENT_ID_CONFIG, "streams");
        // As ours: a killed instance comes back as the same member, and no session has to run out first.
        settings.put(StreamsConfig.consumerPrefix(ConsumerConfig.GROUP_INSTANCE_ID_CONFIG), application + "-1");
        // What Kafka's own tuning guides say first: larger, compressed batches.
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.COMPRESSION_TYPE_CONFIG), "lz4");
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.BATCH_SIZE_CONFIG), 131_072);
        settings.put(StreamsConfig.producerPrefix(ProducerConfig.MAX_REQUEST_SIZE_CONFIG), 4 << 20);
        return settings;
    }

    private static Topology topology(String raw, String prefix) {
        Serde<String> key = Serdes.String();
        Serde<RawRecord> rawRecord = SingleObject.serde(RawRecord.getEncoder(), RawRecord.getDecoder());
        Serde<MessageOutcome> outcome = SingleObject.serde(MessageOutcome.getEncoder(), MessageOutcome.getDecoder());
        Serde<CustomerTraits> traits = SingleObject.serde(CustomerTraits.getEncoder(), CustomerTraits.getDecoder());
        Serde<Suppression> suppression = SingleObject.serde(Suppression.getEncoder(), Suppression.getDecoder());
        Serde<CustomerState> state = SingleObject.serde(CustomerState.getEncoder(), CustomerState.getDecoder());
        return new Topology()
            .addSource("raw", key.deserializer(), rawRecord.deserializer(), raw)
            .addProcessor("outcomes", () -> new OutcomeProcessor(WINDOW), "raw")
            .addStateStore(
                Stores.windowStoreBuilder(
                    Stores.persistentWindowStore(OutcomeProcessor.SEEN, WINDOW, WINDOW, false),
                    Serdes.ByteArray(),
                    Serdes.Long()),
                "outcomes")
            .addStateStore(
                Stores.keyValueStoreBuilder(
                    Stores.persistentKeyValueStore(OutcomeProcessor.CUSTOMERS), key, state).withCachingEnabled(),
                "outcomes")
            .addSink(OutcomeProcessor.WAREHOUSE, prefix + "outcomes.warehouse.v1", key.serializer(), outcome.serializer(), "outcomes")
            .addSink(OutcomeProcessor.TRAIT, prefix + "outcomes.trait.v1", key.serializer(), traits.serializer(), "outcomes")
            .addSink(
                OutcomeProcessor.SUPPRESSION, prefix + "outcomes.suppression.v1", key.serializer(), suppression.serializer(), "outcomes");
    }
}
