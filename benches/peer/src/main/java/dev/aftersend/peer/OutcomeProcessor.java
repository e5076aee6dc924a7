package dev.aftersend.peer;

import aftersend.v1.CustomerTraits;
import aftersend.v1.MessageOutcome;
import aftersend.v1.RawRecord;
import aftersend.v1.Suppression;
import aftersend.v1.SuppressionEntry;
import dev.aftersend.peer.state.CustomerState;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.List;
import org.apache.avro.specific.SpecificRecord;
import org.apache.kafka.common.header.internals.RecordHeaders;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.WindowStore;
import org.apache.kafka.streams.state.WindowStoreIterator;

/** Drops what was seen within the window, learns the rest, and tells what changed. */
final class OutcomeProcessor implements Processor<String, RawRecord, String, SpecificRecord> {
    private static final byte[] CUSTOMER = "cust".getBytes(StandardCharsets.US_ASCII);
    static final String SEEN = "seen";
    static final String CUSTOMERS = "customers";
    static final String WAREHOUSE = "warehouse";
    static final String TRAIT = "trait";
    static final String SUPPRESSION = "suppression";

    private final long windowMs;
    private final MessageDigest sha256 = sha256();
    private final Redaction redaction = new Redaction();
    private final Events events = new Events(redaction);
    private ProcessorContext<String, SpecificRecord> context;
    private WindowStore<byte[], Long> seen;
    private KeyValueStore<String, CustomerState> customers;

    OutcomeProcessor(Duration window) {
        windowMs = window.toMillis();
    }

    @Override
    public void init(ProcessorContext<String, SpecificRecord> context) {
        this.context = context;
        seen = context.getStateStore(SEEN);
        customers = context.getStateStore(CUSTOMERS);
    }

    @Override
    public void process(Record<String, RawRecord> record) {
        String customer = record.key();
        RawRecord raw = record.value();
        long appended = record.timestamp();
        byte[] id = id(customer, raw);
        if (isDuplicate(id, appended)) {
            return;
        }
        seen.put(id, appended, appended);
        MessageOutcome outcome = events.outcome(raw, customer, id, appended);
        RecordHeaders headers = new RecordHeaders();
        headers.add("event-id", outcome.getEventId().getBytes(StandardCharsets.UTF_8));
        headers.add("outcome-id", outcome.getOutcomeId().getBytes(StandardCharsets.UTF_8));
        context.forward(new Record<>(customer, outcome, appended, headers), WAREHOUSE);
        if (isPerson(customer)) {
            learn(customer, outcome, appended);
        }
    }

    private boolean isDuplicate(byte[] id, long appended) {
        try (WindowStoreIterator<Long> earlier = seen.fetch(id, appended - windowMs, appended + windowMs)) {
            return earlier.hasNext();
        }
    }

    private void learn(String customer, MessageOutcome outcome, long appended) {
        CustomerState stored = customers.get(customer);
        CustomerState before = stored == null ? new CustomerState() : stored;
        CustomerState now = Customers.copy(before);
        Customers.learn(now, outcome);
        if (now.equals(before)) {
            return;
        }
        CustomerTraits old = Customers.traits(customer, before);
        CustomerTraits traits = Customers.traits(customer, now);
        List<String> changed = Customers.changed(old, traits);
        if (!changed.isEmpty()) {
            now.setRevision(now.getRevision() + 1);
            traits.setRevision(now.getRevision());
            traits.setAsOf(Instant.ofEpochMilli(appended));
            traits.setChanged(changed);
            context.forward(new Record<>(customer, traits, appended), TRAIT);
        }
        List<SuppressionEntry> entries = Customers.suppressions(now);
        if (!entries.equals(Customers.suppressions(before))) {
            Suppression suppression = new Suppression(customer, Instant.ofEpochMilli(appended), entries);
            context.forward(new Record<>(customer, suppression, appended), SUPPRESSION);
        }
        customers.put(customer, now);
    }

    /** The pair (customer, id) of which each takes effect once: half a SHA-256 over its parts, each after its length. */
    private byte[] id(String customer, RawRecord raw) {
        byte[] id = new byte[raw.getId().remaining()];
        raw.getId().duplicate().get(id);
        for (byte[] part : List.of(CUSTOMER, id, customer.getBytes(StandardCharsets.UTF_8))) {
            sha256.update(ByteBuffer.allocate(Integer.BYTES).putInt(part.length).array());
            sha256.update(part);
        }
        return Arrays.copyOf(sha256.digest(), 16);
    }

    private static MessageDigest sha256() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException failure) {
            throw new IllegalStateException("every JVM has SHA-256", failure);
        }
    }

    /** Keys of deliveries and of single events are nobody's. */
    private static boolean isPerson(String customer) {
        return !customer.startsWith("~dlv:") && !customer.startsWith("~evt:");
    }
}
