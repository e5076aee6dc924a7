package dev.aftersend.peer;

import aftersend.v1.MessageOutcome;
import aftersend.v1.RawRecord;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.JsonNodeFactory;
import com.fasterxml.jackson.databind.node.MissingNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.time.Instant;
import java.util.HexFormat;
import java.util.Locale;
import java.util.Set;

/** The vendor's JSON in the form that everybody else reads. */
final class Events {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String PREFERENCES = "cio_subscription_preferences_changed";
    private static final Set<String> BODIES = Set.of("content", "headers", "body");
    private static final Set<String> OF_EVENT =
        Set.of("event_id", "metric", "object_type", "object_type_type", "timestamp", "data");
    private static final Set<String> OF_DATA = Set.of(
        "delivery_id", "campaign_id", "action_id", "broadcast_id", "newsletter_id", "transactional_message_id", "content_id",
        "recipient", "recipients", "subject", "href", "link_id", "failure_message", "machine", "prefetched", "proxied", "synthetic",
        "customer_id", "identifiers", "email_address");

    private final Redaction redaction;

    Events(Redaction redaction) {
        this.redaction = redaction;
    }

    MessageOutcome outcome(RawRecord raw, String customer, byte[] id, long appended) {
        JsonNode event = parse(raw.getBytes());
        JsonNode data = event.path("data");
        String metric = event.path("metric").asText().trim().toLowerCase(Locale.ROOT);
        String recipient = text(data, "recipient");
        String channel = channel(event, data, metric);
        Instant own = time(event.path("timestamp"));
        boolean usable = own != null && !own.isAfter(raw.getReceivedAt().plus(Duration.ofDays(1)));
        boolean bounced = metric.equals("bounced");
        return MessageOutcome.newBuilder()
            .setEventId(raw.getEventId())
            .setEventType(channel + "_" + metric)
            .setChannel(channel)
            .setMetric(metric)
            .setOccurredAt(usable ? own : raw.getReceivedAt())
            .setTimeSource(usable ? "event" : "received")
            .setReceivedAt(raw.getReceivedAt())
            .setAppendedAt(Instant.ofEpochMilli(appended))
            .setCustomerId(customer)
            .setRecipientToken(recipientToken(channel, recipient, data))
            .setRecipientDomain(recipient != null && channel.equals("email") ? Redaction.domain(recipient) : null)
            .setDeliveryId(text(data, "delivery_id"))
            .setCampaignId(text(data, "campaign_id"))
            .setActionId(text(data, "action_id"))
            .setBroadcastId(text(data, "broadcast_id"))
            .setNewsletterId(text(data, "newsletter_id"))
            .setTransactionalMessageId(text(data, "transactional_message_id"))
            .setTemplateId(text(data, "content_id"))
            .setSubject(redaction.text(text(data, "subject")))
            .setHref(redaction.link(text(data, "href")))
            .setLinkId(text(data, "link_id"))
            .setFailureMessage(redaction.text(failure(data)))
            .setBounceClass(bounced ? "hard" : null)
            .setBounceBlame(bounced ? "recipient" : null)
            .setMachine(truth(data, "machine"))
            .setPrefetched(truth(data, "prefetched"))
            .setProxied(truth(data, "proxied"))
            .setSynthetic(truth(data, "synthetic"))
            .setSource(raw.getSource())
            .setMetadata(metadata(event, data, metric))
            .setOutcomeId(HexFormat.of().formatHex(id))
            .build();
    }

    private static JsonNode parse(ByteBuffer bytes) {
        try {
            return JSON.readTree(bytes.array(), bytes.arrayOffset() + bytes.position(), bytes.remaining());
        } catch (IOException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    private static String channel(JsonNode event, JsonNode data, String metric) {
        for (String name : new String[] {"object_type", "object_type_type"}) {
            String type = text(event, name);
            if (type != null) {
                return type.trim().toLowerCase(Locale.ROOT);
            }
        }
        if (Set.of("subscribed", "unsubscribed", PREFERENCES).contains(metric)) {
            return "customer";
        }
        return text(data, "email_address") != null ? "email" : "unknown";
    }

    private static Instant time(JsonNode seconds) {
        return seconds.canConvertToLong() ? Instant.ofEpochSecond(seconds.asLong()) : null;
    }

    private String recipientToken(String channel, String recipient, JsonNode data) {
        switch (channel) {
            case "sms", "whatsapp":
                return recipient == null ? null : redaction.phoneToken(recipient);
            case "push":
                JsonNode device = data.path("recipients").path(0).path("device_id");
                return device.isTextual() ? redaction.deviceToken(device.textValue()) : null;
            default:
                String address = recipient != null ? recipient : text(data, "email_address");
                return address != null && address.indexOf('@') >= 0 ? redaction.emailToken(address) : null;
        }
    }

    /** Why the message failed, or else the first of its devices. */
    private static String failure(JsonNode data) {
        String failure = text(data, "failure_message");
        for (JsonNode device : data.path("recipients")) {
            failure = failure == null ? text(device, "failure_message") : failure;
        }
        return failure;
    }

    private ArrayNode recipients(JsonNode data) {
        ArrayNode recipients = JsonNodeFactory.instance.arrayNode();
        for (JsonNode device : data.path("recipients")) {
            ObjectNode recipient = recipients.addObject();
            String token = text(device, "device_id");
            put(recipient, "token", token == null ? null : redaction.deviceToken(token));
            put(recipient, "platform", redaction.text(text(device, "device_platform")));
            put(recipient, "failure_message", redaction.text(text(device, "failure_message")));
        }
        return recipients;
    }

    private static void put(ObjectNode object, String name, String text) {
        if (text != null) {
            object.put(name, text);
        }
    }

    /** All other fields as one JSON object; message bodies left out. */
    private String metadata(JsonNode event, JsonNode data, String metric) {
        ObjectNode rest = JsonNodeFactory.instance.objectNode();
        boolean bodies = metric.equals(PREFERENCES);
        leave(data, OF_DATA, bodies, rest);
        leave(event, OF_EVENT, bodies, rest);
        ObjectNode others = JsonNodeFactory.instance.objectNode();
        leave(data.path("identifiers"), Set.of("id", "email", "cio_id"), true, others);
        if (!others.isEmpty()) {
            rest.set("identifiers", others);
        }
        ArrayNode recipients = recipients(data);
        if (!recipients.isEmpty()) {
            rest.set("recipients", recipients);
        }
        try {
            return JSON.writeValueAsString(rest);
        } catch (JsonProcessingException failure) {
            throw new UncheckedIOException(failure);
        }
    }

    private void leave(JsonNode object, Set<String> taken, boolean bodies, ObjectNode rest) {
        object.properties().forEach(field -> {
            String name = field.getKey();
            if (!taken.contains(name) && (bodies || !BODIES.contains(name)) && !rest.has(name)) {
                rest.set(redaction.text(name), redaction.value(field.getValue()));
            }
        });
    }

    /** A text, or a number as text; null where there is neither. */
    private static String text(JsonNode object, String name) {
        JsonNode value = object.path(name);
        boolean said = value.isNumber() || value.isTextual() && !value.textValue().isEmpty();
        return said ? value.asText() : null;
    }

    private static Boolean truth(JsonNode object, String name) {
        JsonNode value = object.path(name);
        return value instanceof MissingNode || !value.isBoolean() ? null : value.booleanValue();
    }
}
