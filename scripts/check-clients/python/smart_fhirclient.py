from urllib.parse import quote

from fhirclient.auth import FHIRAuth
from fhirclient.client import FHIRClient
from fhirclient.models.bundle import Bundle
from fhirclient.models.patient import Patient
from fhirclient.server import FHIRNotFoundException
from requests import HTTPError

from journey import (
    PASSWORD,
    TOKEN,
    TYPE,
    URL,
    USER,
    destination,
    not_offered,
    refused,
    step,
    topic,
    transaction,
)

server = FHIRClient(settings={"app_id": "check", "api_base": URL}).server
made = {}


@step("metadata")
def _():
    assert server.capabilityStatement.fhirVersion == "4.0.1"
    server.auth = FHIRAuth.create("oauth2", state={"access_token": TOKEN})
    assert server.ready


@step("create")
def _():
    url = server.post_json("AidboxSubscriptionTopic", topic()).json()["url"]
    written = destination(url)
    answer = server.post_json(TYPE, written)
    made.update(answer.json(), written=written)
    assert answer.status_code == 201


@step("read")
def _():
    read = server.request_json(f"{TYPE}/{made['id']}")
    assert read["parameter"] == made["written"]["parameter"]


@step("search")
def _():
    found = server.request_json(f"{TYPE}?topic={quote(made['topic'])}")
    assert [one["resource"]["id"] for one in found["entry"]] == [made["id"]]
    assert server.request_json(f"{TYPE}?_id={made['id']}")["total"] == 1
    assert server.request_json(f"AidboxSubscriptionTopic?url={quote(made['topic'])}")["total"] == 1


@step("search by POST")
def _():
    form = {"topic": made["topic"]}
    answer = server.post_as_form(f"{URL}/{TYPE}/_search", form, auth=(USER, PASSWORD))
    assert answer.json()["total"] == 1


@step("paging")
def _():
    family = f"Paging{made['id']}"
    for _ in range(3):
        Patient({"resourceType": "Patient", "name": [{"family": family}]}).create(server)
    pages = Patient.where(struct={"family": family, "_count": "1"}).perform_resources_iter(server)
    assert [patient.name[0].family for patient in pages] == [family] * 3


@step("conditional create")
def _():
    again = server.post_json(f"{TYPE}?topic={quote(made['topic'])}", made["written"])
    assert (again.status_code, again.json()["id"]) == (200, made["id"])


not_offered("update with If-Match", "it has no place for a header")
for patch in ("JSON Patch", "merge patch", "FHIRPath Patch"):
    not_offered(patch, "it has no PATCH")


@step("vread")
def _():
    changed = {**made["written"], "id": made["id"], "content": "id-only"}
    assert server.put_json(f"{TYPE}/{made['id']}", changed).json()["content"] == "id-only"
    assert "content" not in server.request_json(f"{TYPE}/{made['id']}/_history/1")


@step("history")
def _():
    assert server.request_json(f"{TYPE}/{made['id']}/_history")["total"] == 2


@step("transaction")
def _():
    bundle = Bundle(transaction())
    answer = Bundle(server.post_json("", bundle.as_json()).json())
    assert [one.response.status[:3] for one in answer.entry] == ["201", "201"]


@step("$status")
def _():
    answer = server.request_json(f"{TYPE}/{made['id']}/$status")
    assert "messagesDelivered" in [one["name"] for one in answer["parameter"]]


@step("refusal")
def _():
    error = refused(HTTPError, lambda: server.post_json(TYPE, {**made["written"], "kind": "x"}))
    outcome = error.response.json()
    assert error.response.status_code == 422
    assert outcome["issue"][0]["expression"] == [f"{TYPE}.kind"]


@step("delete")
def _():
    server.delete_json(f"{TYPE}/{made['id']}")
    refused(FHIRNotFoundException, lambda: server.request_json(f"{TYPE}/{made['id']}"))
