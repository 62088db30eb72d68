import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.model.api.annotation.Block;
import ca.uhn.fhir.model.api.annotation.Child;
import ca.uhn.fhir.model.api.annotation.ResourceDef;
import ca.uhn.fhir.rest.api.MethodOutcome;
import ca.uhn.fhir.rest.api.SearchStyleEnum;
import ca.uhn.fhir.rest.client.api.IGenericClient;
import ca.uhn.fhir.rest.client.api.ServerValidationModeEnum;
import ca.uhn.fhir.rest.client.interceptor.BasicAuthInterceptor;
import ca.uhn.fhir.rest.gclient.StringClientParam;
import ca.uhn.fhir.rest.gclient.TokenClientParam;
import ca.uhn.fhir.rest.gclient.UriClientParam;
import ca.uhn.fhir.rest.server.exceptions.BaseServerResponseException;
import ca.uhn.fhir.rest.server.exceptions.PreconditionFailedException;
import ca.uhn.fhir.rest.server.exceptions.ResourceNotFoundException;
import ca.uhn.fhir.rest.server.exceptions.UnprocessableEntityException;
import ca.uhn.fhir.util.ElementUtil;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.UUID;
import org.hl7.fhir.instance.model.api.IIdType;
import org.hl7.fhir.r4.model.BackboneElement;
import org.hl7.fhir.r4.model.BooleanType;
import org.hl7.fhir.r4.model.Bundle;
import org.hl7.fhir.r4.model.CapabilityStatement;
import org.hl7.fhir.r4.model.CodeType;
import org.hl7.fhir.r4.model.DomainResource;
import org.hl7.fhir.r4.model.Encounter;
import org.hl7.fhir.r4.model.IntegerType;
import org.hl7.fhir.r4.model.OperationOutcome;
import org.hl7.fhir.r4.model.Parameters;
import org.hl7.fhir.r4.model.Patient;
import org.hl7.fhir.r4.model.Reference;
import org.hl7.fhir.r4.model.ResourceType;
import org.hl7.fhir.r4.model.StringType;
import org.hl7.fhir.r4.model.Type;
import org.hl7.fhir.r4.model.UriType;

/** The steps with HAPI FHIR's generic client, which learns the two custom types from annotated classes. */
public class HapiClient {
  private static final String PROFILE =
      "http://health-samurai.io/fhir/core/StructureDefinition/aidboxtopicdestination-kafkaAtLeastOnceProfile";
  private static final String TOPIC_PROFILE =
      "http://health-samurai.io/fhir/core/StructureDefinition/AidboxSubscriptionTopic";

  @ResourceDef(name = "AidboxSubscriptionTopic", profile = TOPIC_PROFILE)
  public static class Topic extends DomainResource {
    @Child(name = "url", min = 1)
    public UriType url;

    @Child(name = "status", min = 1)
    public CodeType status;

    @Child(name = "trigger", max = Child.MAX_UNLIMITED)
    public List<Trigger> trigger = new ArrayList<>();

    @Override
    public Topic copy() {
      Topic copy = new Topic();
      copyValues(copy);
      copy.url = url;
      copy.status = status;
      copy.trigger = trigger;
      return copy;
    }

    @Override
    public ResourceType getResourceType() {
      return null;
    }

    @Override
    public String fhirType() {
      return "AidboxSubscriptionTopic";
    }
  }

  @Block
  public static class Trigger extends BackboneElement {
    @Child(name = "resource", min = 1)
    public UriType resource;

    @Override
    public boolean isEmpty() {
      return super.isEmpty() && ElementUtil.isEmpty(resource);
    }

    @Override
    public Trigger copy() {
      Trigger copy = new Trigger();
      copyValues(copy);
      copy.resource = resource;
      return copy;
    }
  }

  @ResourceDef(name = "AidboxTopicDestination", profile = PROFILE)
  public static class Destination extends DomainResource {
    @Child(name = "topic", min = 1)
    public UriType topic;

    @Child(name = "kind", min = 1)
    public CodeType kind;

    @Child(name = "parameter", min = 1, max = Child.MAX_UNLIMITED)
    public List<Parameter> parameter = new ArrayList<>();

    @Child(name = "content")
    public CodeType content;

    @Override
    public Destination copy() {
      Destination copy = new Destination();
      copyValues(copy);
      copy.topic = topic;
      copy.kind = kind;
      copy.parameter = parameter;
      copy.content = content;
      return copy;
    }

    @Override
    public ResourceType getResourceType() {
      return null;
    }

    @Override
    public String fhirType() {
      return "AidboxTopicDestination";
    }
  }

  @Block
  public static class Parameter extends BackboneElement {
    @Child(name = "name", min = 1)
    public StringType name;

    @Child(name = "value", min = 1, type = {StringType.class, IntegerType.class, BooleanType.class})
    public Type value;

    public Parameter() {}

    Parameter(String name, Type value) {
      this.name = new StringType(name);
      this.value = value;
    }

    @Override
    public boolean isEmpty() {
      return super.isEmpty() && ElementUtil.isEmpty(name, value);
    }

    @Override
    public Parameter copy() {
      Parameter copy = new Parameter();
      copyValues(copy);
      copy.name = name;
      copy.value = value;
      return copy;
    }
  }

  interface Run {
    void run() throws Exception;
  }

  private static boolean isFailed;

  private static void step(String name, Run run) {
    try {
      run.run();
      System.out.println("ok\t" + name);
    } catch (Throwable error) {
      isFailed = true;
      StackTraceElement place = List.of(error.getStackTrace()).stream()
          .filter(element -> "HapiClient.java".equals(element.getFileName()))
          .findFirst().orElse(null);
      String answer =
          error instanceof BaseServerResponseException answered ? answered.getResponseBody() : "";
      String reason = (place + ": " + error + " " + answer).replaceAll("\\s+", " ");
      System.out.println("failed\t" + name + "\t" + reason);
    }
  }

  private static void same(Object expected, Object actual) {
    if (!Objects.equals(expected, actual)) {
      throw new AssertionError("expected " + expected + ", was " + actual);
    }
  }

  private static <E extends BaseServerResponseException> E refused(Class<E> type, Run run)
      throws Exception {
    try {
      run.run();
    } catch (BaseServerResponseException error) {
      if (!((OperationOutcome) error.getOperationOutcome()).hasIssue()) {
        throw new AssertionError("no OperationOutcome with " + error);
      }
      return type.cast(error);
    }
    throw new AssertionError("it was accepted");
  }

  private static Destination destination(String topicUrl) {
    Destination destination = new Destination();
    destination.topic = new UriType(topicUrl);
    destination.kind = new CodeType("kafka-at-least-once");
    destination.parameter.add(new Parameter("kafkaTopic", new StringType("events")));
    destination.parameter.add(new Parameter("bootstrapServers", new StringType("localhost:9")));
    destination.parameter.add(new Parameter("batchSize", new IntegerType(1024)));
    return destination;
  }

  private static String topicUrl = "http://example.org/topic/" + UUID.randomUUID();
  private static Destination made;
  private static IIdType id;
  private static IIdType last;

  public static void main(String[] arguments) {
    FhirContext context = FhirContext.forR4();
    context.registerCustomType(Topic.class);
    context.registerCustomType(Destination.class);
    context.getRestfulClientFactory().setServerValidationMode(ServerValidationModeEnum.ONCE);
    IGenericClient client = context.newRestfulGenericClient(System.getenv("FHIR_URL"));
    client.registerInterceptor(
        new BasicAuthInterceptor(System.getenv("FHIR_USER"), System.getenv("FHIR_PASSWORD")));

    step("metadata", () -> {
      var statement = client.capabilities().ofType(CapabilityStatement.class).execute();
      same("4.0.1", statement.getFhirVersion().toCode());
      same(true, statement.getRestFirstRep().getResource().stream()
          .anyMatch(resource -> resource.getType().equals("AidboxTopicDestination")));
    });
    step("create", () -> {
      Topic topic = new Topic();
      topic.url = new UriType(topicUrl);
      topic.status = new CodeType("active");
      Trigger trigger = new Trigger();
      trigger.resource = new UriType("Patient");
      topic.trigger.add(trigger);
      same(true, client.create().resource(topic).execute().getCreated());
      MethodOutcome outcome = client.create().resource(destination(topicUrl)).execute();
      made = (Destination) outcome.getResource();
      id = outcome.getId().toUnqualifiedVersionless();
      same("1", outcome.getId().getVersionIdPart());
    });
    step("read", () -> {
      Destination read = client.read().resource(Destination.class).withId(id).execute();
      same(topicUrl, read.topic.getValue());
      same(1024, ((IntegerType) read.parameter.get(2).value).getValue());
      same(PROFILE, read.getMeta().getProfile().get(0).getValue());
    });
    step("search", () -> {
      Bundle found = client.search().forResource(Destination.class)
          .where(new UriClientParam("topic").matches().value(topicUrl))
          .returnBundle(Bundle.class).execute();
      same(1, found.getTotal());
      same(id.getIdPart(), found.getEntryFirstRep().getResource().getIdElement().getIdPart());
      same(1, client.search().forResource(Destination.class)
          .where(new TokenClientParam("_id").exactly().code(id.getIdPart()))
          .returnBundle(Bundle.class).execute().getTotal());
      same(1, client.search().forResource(Topic.class)
          .where(new UriClientParam("url").matches().value(topicUrl))
          .returnBundle(Bundle.class).execute().getTotal());
    });
    step("search by POST", () -> same(1, client.search().forResource(Destination.class)
        .where(new UriClientParam("topic").matches().value(topicUrl))
        .usingStyle(SearchStyleEnum.POST).returnBundle(Bundle.class).execute().getTotal()));
    step("paging", () -> {
      String family = "Paging" + id.getIdPart();
      for (int count = 0; count < 3; count++) {
        Patient patient = new Patient();
        patient.addName().setFamily(family);
        client.create().resource(patient).execute();
      }
      Bundle page = client.search().forResource(Patient.class)
          .where(new StringClientParam("family").matches().value(family))
          .count(2).returnBundle(Bundle.class).execute();
      same(2, page.getEntry().size());
      same(1, client.loadPage().next(page).execute().getEntry().size());
    });
    step("conditional create", () -> {
      MethodOutcome again = client.create().resource(destination(topicUrl))
          .conditionalByUrl("AidboxTopicDestination?topic=" + topicUrl).execute();
      same(id.getIdPart(), again.getId().getIdPart());
      MethodOutcome updated = client.update().resource(destination(topicUrl))
          .conditional().where(new UriClientParam("topic").matches().value(topicUrl)).execute();
      same(id.getIdPart(), updated.getId().getIdPart());
    });
    step("update with If-Match", () -> {
      // The version in the id becomes If-Match.
      Destination changed = client.read().resource(Destination.class).withId(id).execute();
      changed.content = new CodeType("id-only");
      last = client.update().resource(changed).execute().getId();
      same(true, last.getVersionIdPartAsLong() > 1);
      changed.setId(id.withVersion("1"));
      refused(PreconditionFailedException.class,
          () -> client.update().resource(changed).execute());
    });
    step("JSON Patch", () -> {
      String patch = "[{\"op\":\"replace\",\"path\":\"/content\",\"value\":\"empty\"}]";
      MethodOutcome outcome = client.patch().withBody(patch).withId(id).execute();
      same("empty", ((Destination) outcome.getResource()).content.getValue());
    });
    System.out.println("not offered\tmerge patch\tit sends JSON Patch and FHIRPath Patch");
    step("FHIRPath Patch", () -> {
      Parameters patch = new Parameters();
      var operation = patch.addParameter().setName("operation");
      operation.addPart().setName("type").setValue(new CodeType("replace"));
      operation.addPart().setName("path").setValue(new StringType("AidboxTopicDestination.content"));
      operation.addPart().setName("value").setValue(new CodeType("id-only"));
      MethodOutcome outcome = client.patch().withFhirPatch(patch).withId(id).execute();
      last = outcome.getId();
      same("id-only", ((Destination) outcome.getResource()).content.getValue());
    });
    step("vread", () -> {
      Destination first = client.read().resource(Destination.class)
          .withIdAndVersion(id.getIdPart(), "1").execute();
      same(null, first.content);
      same(made.getMeta().getLastUpdated(), first.getMeta().getLastUpdated());
    });
    step("history", () -> {
      Bundle history = client.history().onInstance(id).returnBundle(Bundle.class).execute();
      same(last.getVersionIdPartAsLong(), (long) history.getEntry().size());
    });
    step("transaction", () -> {
      Patient patient = new Patient();
      patient.addName().setFamily("Transaction");
      Encounter encounter = new Encounter();
      encounter.setStatus(Encounter.EncounterStatus.FINISHED);
      encounter.getClass_().setCode("AMB");
      String fullUrl = "urn:uuid:" + UUID.randomUUID();
      encounter.setSubject(new Reference(fullUrl));
      Bundle bundle = new Bundle().setType(Bundle.BundleType.TRANSACTION);
      bundle.addEntry().setFullUrl(fullUrl).setResource(patient)
          .getRequest().setMethod(Bundle.HTTPVerb.POST).setUrl("Patient");
      bundle.addEntry().setResource(encounter)
          .getRequest().setMethod(Bundle.HTTPVerb.POST).setUrl("Encounter");
      Bundle answer = client.transaction().withBundle(bundle).execute();
      for (var entry : answer.getEntry()) {
        same("201", entry.getResponse().getStatus().substring(0, 3));
      }
    });
    step("$status", () -> {
      Parameters byGet = client.operation().onInstance(id).named("$status")
          .withNoParameters(Parameters.class).useHttpGet().execute();
      same(true, byGet.hasParameter("messagesDelivered"));
      Parameters byPost = client.operation().onInstance(id).named("$status")
          .withNoParameters(Parameters.class).execute();
      same(true, byPost.hasParameter("messagesDelivered"));
    });
    step("refusal", () -> {
      Destination bad = destination(topicUrl);
      bad.kind = new CodeType("x");
      var error = refused(UnprocessableEntityException.class,
          () -> client.create().resource(bad).execute());
      var outcome = (OperationOutcome) error.getOperationOutcome();
      same("AidboxTopicDestination.kind",
          outcome.getIssueFirstRep().getExpression().get(0).getValue());
    });
    step("delete", () -> {
      client.delete().resourceById(id).execute();
      refused(ResourceNotFoundException.class,
          () -> client.read().resource(Destination.class).withId(id).execute());
    });
    System.exit(isFailed ? 1 : 0);
  }
}
