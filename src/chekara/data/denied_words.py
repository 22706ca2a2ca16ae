"""Words in column names that say a column describes people.

Matched as whole tokens of a name (``driver_sex``, ``dateOfBirth``), in English, Russian and Kyrgyz and their usual
transliterations, so that ``sextant``, ``tonnage``, ``message`` and ``villages`` raise no alarm.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# One of these tokens is enough. By what they describe; the key is told to the user.
DENIED_TOKENS: dict[str, frozenset[str]] = {
    "nationality": _words(
        "nationality nationalities citizenship citizenships citizen citizens гражданство гражданства гражданин "
        "национальность национальности подданство жарандыгы жарандык жараны grazhdanstvo natsionalnost nacionalnost "
        "zharandygy jarandygy zharandyk jarandyk"
    ),
    "ethnicity": _words(
        "ethnicity ethnicities ethnic ethnos tribe tribal клан этнос этничность этнический этническая народность улуту "
        "улут этностук uluty ulutu"
    ),
    "race": _words("race races racial раса расы расовая расовый расасы"),
    "religion": _words(
        "religion religions religious creed denomination религия религии вероисповедание конфессия дин дини "
        "religiya veroispovedanie"
    ),
    "sex": _words(
        "sex sexes sexual gender genders male males female females пол пола гендер жынысы жыныс jynysy zhynysy "
        "jynys zhynys"
    ),
    "birth": _words(
        "birth born dob birthdate birthday birthyear birthplace dateofbirth yearofbirth placeofbirth рождения рождение "
        "рожд туулган rozhdeniya rozhdenia tuulgan"
    ),
    "age": _words("age ages возраст возраста жаш жашы vozrast"),
    "person name": _words(
        "surname surnames firstname lastname fullname givenname familyname middlename maidenname forename patronymic "
        "drivername passengername personname имя имена фамилия фамилии отчество фио жөнү фамилиясы атасынын "
        "familiya familia otchestvo fio imya ime"
    ),
    "identity document": _words(
        "passport passports passportno passportnumber passportnr passno idcard idnumber nationalid personalid ssn "
        "snils iin pinfl паспорт паспорта паспортные снилс пин иин пинфл паспорту pasport"
    ),
    "language": _words("language languages язык языка языки тили тил yazyk"),
    "politics": _words("political politics политика политические политический партийность саясат саясий"),
    "health": _words(
        "health medical disability disabilities diagnosis diagnoses здоровье здоровья инвалидность диагноз "
        "соолук соолугу медицинский медицинские"
    ),
    "biometrics": _words(
        "biometric biometrics fingerprint fingerprints facial dna биометрия биометрические отпечаток "
        "отпечатки днк биометрика"
    ),
}

# Long words that mean the same inside any longer run of letters (``drivernationality``, ``paxpassportnum``).
DENIED_INSIDE: dict[str, str] = {
    "nationalit": "nationality",
    "citizenship": "nationality",
    "ethnicit": "ethnicity",
    "religio": "religion",
    "dateofbirth": "birth",
    "passport": "identity document",
    "biometri": "biometrics",
    "гражданств": "nationality",
    "национальност": "nationality",
    "вероисповед": "religion",
    "биометри": "biometrics",
    "жарандык": "nationality",
}

# Tokens beside which a word means a thing and not a person: the age of a vehicle, the health of animals, the
# passport of a product. A person in the same name (``vehicle_driver_age``) outweighs them.
THINGS_BESIDE: dict[str, frozenset[str]] = {
    "age": _words(
        "vehicle truck car trailer wagon container vessel ship aircraft fleet company firm business account permit "
        "document declaration seal goods shipment invoice certificate contract тс авто автомобиля компании фирмы "
        "машины декларации"
    ),
    "health": _words(
        "animal animals plant plants veterinary phytosanitary sanitary livestock herd product products goods "
        "certificate животных растений supplies device devices equipment"
    ),
    "identity document": _words("vehicle product goods equipment deal тс сделки товара изделия автомобиля"),
    "sex": _words("animal animals livestock cattle herd connector connectors"),
    "language": _words("document documents form message interface software"),
}

PERSON_TOKENS = _words(
    "driver drivers passenger passengers pax person persons personal traveller travellers traveler travelers crew "
    "captain individual citizen visitor migrant pedestrian worker spouse father mother child водитель водителя "
    "пассажир пассажира физлица физлицо физического айдоочу айдоочунун жүргүнчү жүргүнчүнүн"
)

# Before these a word for people means a thing: a passenger car is no passenger.
THINGS_OF_PEOPLE = _words("car cars vehicle vehicles bus train transport traffic seat seats")

# Beside a person these make an identity, a name or a nationality.
DENIED_OF_PERSON = _words(
    "id ids name names document documents doc licence license photo picture country origin colour "
    "color phone mobile email address документ документа телефон адрес страна аты өлкөсү"
)

# Contiguous runs of tokens that are denied although no single one is.
DENIED_RUNS: dict[tuple[str, ...], str] = {
    ("first", "name"): "person name",
    ("last", "name"): "person name",
    ("full", "name"): "person name",
    ("given", "name"): "person name",
    ("given", "names"): "person name",
    ("family", "name"): "person name",
    ("middle", "name"): "person name",
    ("maiden", "name"): "person name",
    ("ата", "аты"): "person name",
    ("national", "id"): "identity document",
    ("identity", "card"): "identity document",
    ("identity", "number"): "identity document",
    ("identity", "no"): "identity document",
    ("id", "card"): "identity document",
    ("удостоверение", "личности"): "identity document",
    ("удостоверения", "личности"): "identity document",
    ("mother", "tongue"): "language",
    ("эне", "тил"): "language",
    ("skin", "color"): "race",
    ("skin", "colour"): "race",
    ("ethno", "group"): "ethnicity",
    ("ден", "соолук"): "health",
}

# A name that is nothing but this (an ``x_`` apart) is a person's document.
DENIED_WHOLE = {("id", "number"), ("id", "no"), ("id", "nr"), ("id", "num")}
