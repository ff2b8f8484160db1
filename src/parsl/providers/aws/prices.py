"""What instances cost, as far as AWS answers."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any

from parsl.providers.api.failure import ServiceError
from parsl.providers.aws.service import Service

logger = logging.getLogger(__name__)

#: The price list has endpoints in few regions; this one knows all prices.
_PRICE_REGION = "us-east-1"
_DEADLINE_S = 15.0


def price_per_hour(service: Service) -> float | None:
    """Return the price of one machine for an hour, in US dollars.

    For spot machines, this is the bid or, without one, the highest of the recent prices. They may rise up to
    the price on demand. None if AWS does not answer: the list needs the permission ``pricing:GetProducts``.
    """
    options = service.options
    if options.is_spot and options.spot_max_bid:
        return options.spot_max_bid
    try:
        if options.is_spot and (price := _spot_price(service)) is not None:
            return price
        return _list_price(service)
    except ServiceError as error:
        logger.info("The price of %s is unknown: %s", options.instance_type, error)
        return None


def _spot_price(service: Service) -> float | None:
    answer = service.request(
        "DescribeSpotPriceHistory",
        service.client.describe_spot_price_history,
        deadline_s=_DEADLINE_S,
        InstanceTypes=[service.options.instance_type],
        ProductDescriptions=["Linux/UNIX"],
        MaxResults=20,
    )
    prices = [float(entry["SpotPrice"]) for entry in answer["SpotPriceHistory"]]
    return max(prices, default=None)


def _list_price(service: Service) -> float | None:
    conditions = {
        "instanceType": service.options.instance_type,
        "regionCode": service.region,
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
    }
    client = service.other_client("pricing", _PRICE_REGION)
    answer = service.request(
        "GetProducts",
        client.get_products,
        deadline_s=_DEADLINE_S,
        ServiceCode="AmazonEC2",
        Filters=[{"Type": "TERM_MATCH", "Field": name, "Value": value} for name, value in conditions.items()],
    )
    return read_price(answer)


def read_price(answer: Mapping[str, Any]) -> float | None:
    """Read the answer of GetProducts; None if it contains no price."""
    for text in answer["PriceList"]:
        for term in json.loads(text).get("terms", {}).get("OnDemand", {}).values():
            for dimension in term.get("priceDimensions", {}).values():
                price = float(dimension.get("pricePerUnit", {}).get("USD", 0))
                if price > 0:
                    return price
    return None
