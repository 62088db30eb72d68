"""What the Python clients share: settings, resources, and one line on standard output for each step."""

import os
import re
import traceback
import uuid

URL = os.environ["FHIR_URL"]
USER = os.environ["FHIR_USER"]
PASSWORD = os.environ["FHIR_PASSWORD"]
TOKEN = os.environ["FHIR_TOKEN"]
TYPE = "AidboxTopicDestination"


def step(name):
    """Runs the decorated function as a step."""

    def run(function):
        try:
            function()
            print("ok", name, sep="\t", flush=True)
        except Exception as error:
            line = traceback.extract_tb(error.__traceback__)[1].lineno
            response = getattr(error, "response", None)
            answer = getattr(response, "text", "")
            reason = f"line {line}: {type(error).__name__} {error} {answer}"
            print("failed", name, re.sub(r"\s+", " ", reason)[:500], sep="\t", flush=True)

    return run


def not_offered(name, reason):
    print("not offered", name, reason, sep="\t", flush=True)


def refused(exceptions, function):
    """The exception that the call must raise."""
    try:
        function()
    except exceptions as error:
        return error
    raise AssertionError("it was accepted")


def topic():
    return {
        "resourceType": "AidboxSubscriptionTopic",
        "url": f"http://example.org/topic/{uuid.uuid4()}",
        "status": "active",
        "trigger": [{"resource": "Patient", "supportedInteraction": ["create"]}],
    }


def destination(topic_url):
    profiles = "http://aidbox.app/StructureDefinition"
    return {
        "resourceType": TYPE,
        "meta": {"profile": [f"{profiles}/aidboxtopicdestination-kafka-best-effort"]},
        "kind": "kafka-best-effort",
        "topic": topic_url,
        "parameter": [
            {"name": "kafkaTopic", "valueString": "events"},
            {"name": "bootstrapServers", "valueString": "localhost:9"},
            {"name": "keyByResourceId", "valueBoolean": True},
        ],
    }


def fhirpath_patch(path, value):
    part = [
        {"name": "type", "valueCode": "replace"},
        {"name": "path", "valueString": path},
        {"name": "value", "valueCode": value},
    ]
    return {"resourceType": "Parameters", "parameter": [{"name": "operation", "part": part}]}


def transaction():
    """A Patient, and an Encounter of it by urn:uuid."""
    full_url = f"urn:uuid:{uuid.uuid4()}"
    patient = {"resourceType": "Patient", "name": [{"family": "Transaction"}]}
    encounter = {
        "resourceType": "Encounter",
        "status": "finished",
        "class": {
            "system": "http://terminology.hl7.org/CodeSystem/v3-ActCode",
            "code": "AMB",
        },
        "subject": {"reference": full_url},
    }
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {
                "fullUrl": full_url,
                "resource": patient,
                "request": {"method": "POST", "url": "Patient"},
            },
            {"resource": encounter, "request": {"method": "POST", "url": "Encounter"}},
        ],
    }
