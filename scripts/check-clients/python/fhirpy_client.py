from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import MultipleResourcesFound, OperationOutcome, ResourceNotFound

from journey import (
    TOKEN,
    TYPE,
    URL,
    destination,
    fhirpath_patch,
    not_offered,
    refused,
    step,
    topic,
    transaction,
)


def connect(**headers):
    """A client that sends these headers with every request: the client has no other place for them."""
    extra = {name.replace("_", "-"): value for name, value in headers.items()}
    return SyncFHIRClient(URL, authorization=f"Bearer {TOKEN}", extra_headers=extra)


client = connect()
made = {}


def current():
    return client.reference(TYPE, made["id"]).to_resource()


@step("metadata")
def _():
    assert client.execute("metadata", method="get")["fhirVersion"] == "4.0.1"


@step("create")
def _():
    created = client.resource(**dict(resource_type="AidboxSubscriptionTopic", **topic()))
    created.create()
    written = destination(created["url"])
    resource = client.resource(TYPE, **written)
    resource.save()
    made.update(resource.serialize(), written=written)
    assert made["meta"]["versionId"] == "1"


@step("read")
def _():
    assert client.get(TYPE, made["id"])["parameter"] == made["written"]["parameter"]
    assert current().serialize()["topic"] == made["topic"]


@step("search")
def _():
    found = client.resources(TYPE).search(topic=made["topic"]).fetch()
    assert [one.id for one in found] == [made["id"]]
    assert client.resources(TYPE).search(_id=made["id"]).count() == 1
    topics = client.resources("AidboxSubscriptionTopic").search(url=made["topic"])
    assert topics.first()["url"] == made["topic"]


not_offered("search by POST", "it searches by GET only")


@step("paging")
def _():
    family = f"Paging{made['id']}"
    for _ in range(3):
        client.resource("Patient", name=[{"family": family}]).create()
    patients = client.resources("Patient").search(family=family).limit(1)
    assert len(patients.fetch_all()) == 3


@step("conditional create")
def _():
    found = client.resources(TYPE).search(topic=made["topic"])
    again, is_new = found.get_or_create(client.resource(TYPE, **made["written"]))
    assert (again.id, is_new) == (made["id"], False)
    changed, is_new = found.update(client.resource(TYPE, **made["written"], logLevel="debug"))
    assert (changed.id, changed["logLevel"], is_new) == (made["id"], "debug", False)


@step("update with If-Match")
def _():
    resource = current()
    resource["content"] = "id-only"
    version = resource["meta"]["versionId"]
    saved = connect(If_Match=f'W/"{version}"').resource(TYPE, **resource.serialize()).save()
    assert int(saved["meta"]["versionId"]) == int(version) + 1
    stale = connect(If_Match='W/"1"').resource(TYPE, **resource.serialize())
    # The client takes every 412 for this.
    refused(MultipleResourcesFound, stale.save)


@step("JSON Patch")
def _():
    patch = [{"op": "replace", "path": "/content", "value": "empty"}]
    patching = connect(Content_Type="application/json-patch+json")
    answer = patching.execute(f"{TYPE}/{made['id']}", method="patch", data=patch)
    assert answer["content"] == "empty"


@step("merge patch")
def _():
    assert client.patch(TYPE, made["id"], content="id-only")["content"] == "id-only"
    resource = current()
    resource["content"] = "empty"
    resource.save(fields=["content"])
    assert current()["content"] == "empty"
    assert "content" not in client.patch(TYPE, made["id"], content=None)


@step("FHIRPath Patch")
def _():
    patch = fhirpath_patch(f"{TYPE}.logLevel", "warn")
    answer = client.execute(f"{TYPE}/{made['id']}", method="patch", data=patch)
    assert answer["logLevel"] == "warn"


@step("vread")
def _():
    first = client.execute(f"{TYPE}/{made['id']}/_history/1", method="get")
    assert (first["meta"]["versionId"], first["topic"]) == ("1", made["topic"])


@step("history")
def _():
    history = client.execute(f"{TYPE}/{made['id']}/_history", method="get")
    assert history["total"] == int(current()["meta"]["versionId"])


@step("transaction")
def _():
    answer = client.execute("", data=transaction())
    assert [one["response"]["status"][:3] for one in answer["entry"]] == ["201", "201"]


@step("$status")
def _():
    for method in ("get", "post"):
        answer = current().execute("$status", method=method)
        assert "messagesDelivered" in [one["name"] for one in answer["parameter"]]


@step("refusal")
def _():
    bad = client.resource(TYPE, **{**made["written"], "kind": "x"})
    outcome = refused(OperationOutcome, bad.create).resource
    assert outcome["issue"][0]["expression"] == [f"{TYPE}.kind"]


@step("delete")
def _():
    current().delete()
    refused(ResourceNotFound, current)
