import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.DefaultProfileValidationSupport;
import ca.uhn.fhir.parser.StrictErrorHandler;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.hl7.fhir.common.hapi.validation.support.CommonCodeSystemsTerminologyService;
import org.hl7.fhir.common.hapi.validation.support.InMemoryTerminologyServerValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.PrePopulatedValidationSupport;
import org.hl7.fhir.common.hapi.validation.support.ValidationSupportChain;
import org.hl7.fhir.common.hapi.validation.validator.FhirInstanceValidator;
import org.hl7.fhir.r5.utils.validation.constants.BestPracticeWarningLevel;

/**
 * Validates every resource in one directory against FHIR R4 and the definitions in another. Prints one
 * OperationOutcome a line, in the order of the file names. The class path comes from pom.xml.
 */
public class Validate {
  public static void main(String[] arguments) throws Exception {
    FhirContext context = FhirContext.forR4();
    context.setParserErrorHandler(new StrictErrorHandler());
    PrePopulatedValidationSupport own = new PrePopulatedValidationSupport(context);
    for (Path file : filesIn(arguments[0])) {
      own.addResource(context.newJsonParser().parseResource(Files.readString(file)));
    }
    FhirInstanceValidator instances = new FhirInstanceValidator(new ValidationSupportChain(
        own,
        new DefaultProfileValidationSupport(context),
        new InMemoryTerminologyServerValidationSupport(context),
        new CommonCodeSystemsTerminologyService(context)));
    instances.setBestPracticeWarningLevel(BestPracticeWarningLevel.Ignore);
    // Without this an extension that nobody has defined is an error.
    instances.setAnyExtensionsAllowed(true);
    var validator = context.newValidator().registerValidatorModule(instances);
    for (Path file : filesIn(arguments[1])) {
      var result = validator.validateWithResult(Files.readString(file));
      String outcome = context.newJsonParser().encodeResourceToString(result.toOperationOutcome());
      System.out.println(outcome);
    }
  }

  private static List<Path> filesIn(String directory) throws Exception {
    try (Stream<Path> files = Files.list(Path.of(directory))) {
      return files.sorted().toList();
    }
  }
}
