"""Columns that describe people are refused by name and by content; those that only look so are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chekara.data.denied import denied_by_name, name_tokens, refuse_denied_columns
from chekara.data.schema import TABLES
from chekara.errors import DeniedColumnError

DENIED_NAMES = """
nationality Nationality DRIVER_NATIONALITY x_nationality drivernationality citizenship x_citizenshipCode ethnicity
ethnic_group race x_race religion driver_sex sex gender date_of_birth dateOfBirth birth_year DOB age driver_age ageGroup
first_name x_driver_name surname imeName passport_no PassportNo driver_passport id_number x_id_no idNumber driverId
passenger_id driver_country language mother_tongue political_party health_status biometric_hash
пол Пол x_пол гражданство национальность дата_рождения фамилия ФИО имя_водителя ИИН возраст
жынысы улуту туулган_күнү жарандыгы дини аты_жөнү
"""

INNOCENT_NAMES = """
tonnage package passage message sextant villages vehicle_country x_storage dosage usage average x_agency stage racket
x_vehicle_age company_age x_importer_type x_passengers_count x_number_of_passengers crew_count tracing x_brace x_grace
x_erase middlesex essex_port x_manager_code percentage baggage policy image_name pageNo x_pol id_code x_container_id
x_animal_health_certificate x_passenger_car_country cabotage mileage embrace sexton nationalised_goods
товар цель возраст_тс паспорт_сделки товардын_аты полуприцеп половина страна
"""


def frame_with(name: str, values: list[object]) -> pd.DataFrame:
    return pd.DataFrame({"crossing_id": [f"c{number}" for number in range(len(values))], name: values})


@pytest.mark.parametrize("name", DENIED_NAMES.split())
@pytest.mark.parametrize("table", TABLES)
def test_names_of_people_are_refused_in_every_table(name: str, table: str) -> None:
    with pytest.raises(DeniedColumnError) as refused:
        refuse_denied_columns(frame_with(name, ["SECRET-VALUE"]), table)
    assert name in str(refused.value)
    assert "SECRET" not in str(refused.value)


@pytest.mark.parametrize("name", INNOCENT_NAMES.split())
def test_names_of_things_are_not(name: str) -> None:
    assert denied_by_name(name) is None


def test_no_contract_column_would_be_refused_by_its_own_name() -> None:
    assert [column.name for columns in TABLES.values() for column in columns if denied_by_name(column.name)] == []


@pytest.mark.parametrize(
    "name",
    ["x_nati\u043enality", "nation\u0430lity", "x_driver_s\u0435x", "\u0440\u0430ssport", "r\u0430ce", "ф\u0061милия"],
)
def test_letters_of_another_script_hide_no_word(name: str) -> None:
    assert denied_by_name(name) is not None


@pytest.mark.parametrize("name", ["", "_", "x_", "7", "__1"])
def test_a_name_without_letters_describes_nobody(name: str) -> None:
    assert denied_by_name(name) is None
    refuse_denied_columns(frame_with(name, [0, 1, 2]), "crossings")


@given(
    token=st.sampled_from(["sex", "nationality", "dob", "религия", "пол"]),
    before=st.sampled_from(["", "x_", "driver-", "a b "]),
    after=st.sampled_from(["", "_code", "-2", " (old)"]),
)
def test_a_denied_word_is_found_wherever_it_stands(token: str, before: str, after: str) -> None:
    assert denied_by_name(f"{before}{token}{after}") is not None
    assert token in name_tokens(f"{before}{token.upper()}{after}")


def birth_dates(count: int, form: str) -> list[object]:
    days = np.random.default_rng(1).integers(0, 40 * 365, count)
    return [(pd.Timestamp("1960-01-01") + pd.Timedelta(days=int(day))).strftime(form) for day in days]


PERSONAL: dict[str, list[object]] = {
    "passport numbers": [f"AN{number:07d}" for number in range(2000, 2040)],
    "birth dates": birth_dates(60, "%Y-%m-%d"),
    "birth dates as written here": birth_dates(60, "%d.%m.%Y"),
    "birth dates typed": [pd.Timestamp(str(day)) for day in birth_dates(60, "%Y-%m-%d")],
    "e-mail addresses": [f"person{number}@example.kg" for number in range(9)],
    "telephone numbers": [f"+996 555 12{number:04d}" for number in range(9)],
    "sexes": ["M", "F", "F", "M", "M", "F", "U"],
    "sexes in Russian": ["мужской", "женский"] * 5,
    "personal numbers": [f"2{day:02d}0319850{day:04d}" for day in range(1, 20)],
    "personal numbers typed": [int(f"1{day:02d}0319850{day:04d}") for day in range(1, 20)],
    "names of persons": ["Иванов Иван Иванович", "Асанов Үсөн Бакытович", "Эсенова Айгүл Эмильевна"] * 3,
    "names in Kyrgyz": ["Асан Бакыт уулу", "Айгүл Эсен кызы"] * 4,
    "religions": ["muslim", "orthodox", "muslim"] * 3,
    "peoples": ["кыргыз", "узбек", "дунган"] * 3,
    "passport lines": ["P<KGZASANOV<<USON<<<<<<<<<<<<<<<<<<<<<<<<<<<"] * 6,
}


@pytest.mark.parametrize("described", PERSONAL)
@pytest.mark.parametrize("name", ["x_field_7", "remark"])
def test_contents_of_people_are_refused_under_any_name(described: str, name: str) -> None:
    with pytest.raises(DeniedColumnError, match=name):
        refuse_denied_columns(frame_with(name, PERSONAL[described]), "crossings")


@pytest.mark.parametrize("described", ["e-mail addresses", "names of persons", "personal numbers"])
def test_free_text_of_the_contract_is_looked_at_and_entity_ids_are_not(described: str) -> None:
    values = PERSONAL[described]
    with pytest.raises(DeniedColumnError, match="inspector_id"):
        refuse_denied_columns(frame_with("inspector_id", values), "inspections")
    refuse_denied_columns(frame_with("importer_id", values), "crossings")


INNOCENT_VALUES: dict[str, list[object]] = {
    "tariff codes": ["610910", "0101", "871120"] * 5,
    "one-letter codes": ["E", "G", "Y", "B", "S", "N"] * 5,
    "only F": ["F"] * 20,
    "containers": [f"MSKU{number:07d}" for number in range(30)],
    "plates": [f"01KG{number:03d}ABC" for number in range(30)],
    "invoices": [f"IN2025{number:04d}" for number in range(30)],
    "registration dates": [f"{1992 + number}-05-01" for number in range(33)],
    "vehicle dates": [pd.Timestamp(f"{1998 + number % 27}-03-01") for number in range(60)],
    "treaty dates": [f"{1992 + number % 5}-05-01" for number in range(40)],
    "founding dates": ["1970-01-01", "1985-01-01"] + [f"{2001 + number % 10}-05-01" for number in range(30)],
    "goods": ["мужская обувь", "женское бельё", "kyrgyz honey", "чай", "passport covers"] * 4,
    "shoes": ["мужской", "женский", "детский"] * 5,
    "amounts": [10.5, 20.25, 1e14] * 5,
    "timestamps": [f"202501{day:02d}103000" for day in range(1, 29)],
    "phones without plus": ["996555123456"] * 9,
    "declarations": [f"41711102/12052{number % 9}/00{number:05d}" for number in range(30)],
    "booleans": [True, False] * 6,
}


@pytest.mark.parametrize("described", INNOCENT_VALUES)
def test_contents_of_things_are_not(described: str) -> None:
    refuse_denied_columns(frame_with("x_field_7", INNOCENT_VALUES[described]), "crossings")


def test_a_few_addresses_among_goods_are_not_a_column_of_people() -> None:
    values: list[object] = ["spare parts"] * 30 + ["sales@example.com"] * 10
    refuse_denied_columns(frame_with("goods_description", values), "crossings")
